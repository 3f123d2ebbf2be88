//! The host's half: an HTTPS server that drives the local libvirt for the controller it joined.
//!
//! It keeps no list of what it made. Ids come from tokens, libvirt's definitions carry token and owner, notes beside
//! files are written before the files: whatever was interrupted is found or repeated, so kill -9 is a normal end.
//! Guests are libvirt's and do not notice. The families are the files named as in the contract.

pub mod accel;
mod attach;
mod change;
mod check;
mod compute;
mod console;
mod disk;
mod domain;
mod host;
mod image;
mod join;
mod libvirt;
mod locks;
mod net;
mod network;
mod node;
mod observer;
mod power;
mod process;
mod qcow2;
mod routes;
mod seed;
mod serve;
mod snapshot;
mod store;
mod sweep;
mod xml;

use std::{future::Future, net::SocketAddr, path::PathBuf, sync::Arc};

use contract::{Error, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::{accel::Wish, libvirt::Libvirt, locks::Locks, node::Node, observer::Observer, store::Store};

#[derive(Clone, Debug)]
pub struct Options {
    /// Where the controller is; used once, to join.
    pub join: String,
    /// `<secret>.<SHA-256 of the authority's certificate>`; used once, to join.
    pub token: String,
    pub data_dir: PathBuf,
    /// Port 0 takes a free one at the first start and keeps it.
    pub listen: SocketAddr,
    /// The address the controller reaches this host by, when it is not the one listened on.
    pub advertise: Option<String>,
    pub libvirt_uri: String,
    pub accel: Wish,
    /// What people call this host; its host name when absent.
    pub name: Option<String>,
}

impl Options {
    pub fn new(join: impl Into<String>, token: impl Into<String>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            join: join.into(),
            token: token.into(),
            data_dir: data_dir.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertise: None,
            libvirt_uri: "qemu:///system".to_owned(),
            accel: Wish::Auto,
            name: None,
        }
    }
}

/// Joins if need be, then serves until `shutdown`.
pub async fn run(options: Options, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
    Agent::start(options).await?.serve(shutdown).await
}

/// An agent that has joined and listens, but does not answer yet.
pub struct Agent {
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    node: Arc<Node>,
    /// Held for as long as the agent lives: two agents in one directory would fight.
    _lock: std::fs::File,
}

impl Agent {
    pub async fn start(options: Options) -> Result<Self> {
        let store = Store::open(&options.data_dir)?;
        let lock = lock(&store)?;
        let (membership, listener) = join::membership(&store, &options).await?;
        let tls = serve::tls(&membership)?;
        let (wish, scratch) = (options.accel, store.file(""));
        let accel = blocking(move || Ok(accel::choose(wish, &scratch))).await?;
        tracing::info!(
            host = membership.host,
            url = membership.url,
            accel = accel.accel.as_str(),
            why = accel.why,
            "agent starts"
        );
        let node = Arc::new(Node {
            id: membership.host,
            name: membership.name,
            store,
            libvirt: Libvirt::new(&options.libvirt_uri),
            accel,
            locks: Locks::default(),
        });
        let sweeper = Arc::clone(&node);
        if let Err(error) = blocking(move || sweeper.sweep()).await {
            tracing::warn!(
                error = error.chain(),
                "what an earlier run left unfinished is not swept"
            );
        }
        Ok(Self {
            listener,
            tls,
            node,
            _lock: lock,
        })
    }

    /// The host's id, as the controller gave it.
    pub fn host(&self) -> &str {
        &self.node.id
    }

    pub fn address(&self) -> Result<SocketAddr> {
        self.listener
            .local_addr()
            .map_err(|e| Error::broken("the agent does not know its own address").because(e))
    }

    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        let stop = CancellationToken::new();
        let observer = Arc::new(Observer::new(Arc::clone(&self.node)));
        let observing = tokio::spawn(Arc::clone(&observer).run(stop.clone()));
        let app = routes::router(routes::State {
            node: Arc::clone(&self.node),
            observer,
            stop: stop.clone(),
        });
        let serving = tokio::spawn(serve::accept(self.listener, self.tls, app, stop.clone()));
        shutdown.await;
        stop.cancel();
        // Both end soon after the token is cancelled; a panic in them was logged where it happened.
        drop(futures::future::join(observing, serving).await);
        Ok(())
    }
}

fn lock(store: &Store) -> Result<std::fs::File> {
    let path = store.file("lock");
    let file = std::fs::File::create(&path).map_err(|e| store::failed("open", &path, e))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|e| Error::conflict(format!("another agent uses {}", path.display())).because(e))?;
    Ok(file)
}

/// Runs what blocks where it may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(Error::broken("the agent failed in the middle of its work").because(e)))
}
