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

use std::{collections::HashMap, future::Future, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use contract::{Error, Result};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;

use self::{accel::Wish, change::Feed, libvirt::Libvirt, locks::Locks, node::Node, store::Store};

/// How often the guests are looked at when nobody asked for anything.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    pub(crate) node: Arc<Node>,
    pub(crate) feed: Arc<Feed>,
    /// Rung after a mutation, so that its effect is seen at once.
    pub(crate) look: Arc<Notify>,
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
            feed: Arc::default(),
            look: Arc::default(),
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
        let observer = tokio::spawn(observe(
            Arc::clone(&self.node),
            Arc::clone(&self.feed),
            Arc::clone(&self.look),
            stop.clone(),
        ));
        let app = routes::router(routes::State {
            node: Arc::clone(&self.node),
            feed: Arc::clone(&self.feed),
            look: Arc::clone(&self.look),
            stop: stop.clone(),
        });
        let serving = tokio::spawn(serve::accept(self.listener, self.tls, app, stop.clone()));
        shutdown.await;
        stop.cancel();
        // Both end soon after the token is cancelled; a panic in them was logged where it happened.
        drop(futures::future::join(observer, serving).await);
        Ok(())
    }
}

/// Looks at the guests every second, or when rung, and cuts consoles once a minute.
async fn observe(node: Arc<Node>, feed: Arc<Feed>, look: Arc<Notify>, stop: CancellationToken) {
    let mut known = HashMap::new();
    let mut round = 0u32;
    while !stop.is_cancelled() {
        let worker = Arc::clone(&node);
        let (powers, seen) = tokio::task::spawn_blocking(move || {
            let powers = worker.powers(&mut known);
            let trimmed = if round == 0 { worker.trim_consoles() } else { Ok(()) };
            (trimmed.and(powers), known)
        })
        .await
        .unwrap_or_else(|e| (Err(Error::broken("the observer stumbled").because(e)), HashMap::new()));
        known = seen;
        round = (round + 1) % 60;
        match powers {
            Ok(powers) => feed.observe(&powers),
            Err(error) => tracing::warn!(error = error.chain(), "the guests cannot be seen"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = look.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
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
