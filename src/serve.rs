//! `isobar serve`: opens the database, brings up the roles of this process, serves until told to stop.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use auth::{Cx, Policy, Who, token::Verifier};
use axum::Router;
use store::{Migration, Store};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use types::{Error, Result, Timestamp, config::Config};
use web::{Authenticate, Gate, Peer, health::Check, peer::Login};

use crate::{
    admin,
    roles::{Role, Roles, elsewhere},
    settings, stop,
};

/// How long requests and running steps get to end after a signal.
const DRAIN: Duration = Duration::from_secs(9);

/// Every table of the product, in the order they depend on each other.
pub fn migrations() -> Vec<Migration> {
    [
        task::MIGRATIONS,
        keystone::MIGRATIONS,
        glance::MIGRATIONS,
        region::MIGRATIONS,
        scheduler::MIGRATIONS,
    ]
    .concat()
}

pub async fn migrate(config: Config) -> Result<ExitCode> {
    settings::log(&config.log, &config.log_format)?;
    make_data_dir(&config)?;
    let applied = open(&config).await?.migrate(&migrations()).await?;
    match applied.len() {
        0 => println!("the database is up to date"),
        _ => applied.iter().for_each(|name| println!("applied {name}")),
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn open(config: &Config) -> Result<Store> {
    match &config.database_url {
        Some(url) => Store::open(url).await,
        None => Store::open(&format!("sqlite://{}", sqlite_file(config).display())).await,
    }
}

/// Where the database is when there is no PostgreSQL.
pub fn sqlite_file(config: &Config) -> PathBuf {
    config.data_dir.join("isobar.db")
}

pub async fn run(config: Config) -> Result<ExitCode> {
    settings::log(&config.log, &config.log_format)?;
    let roles = Roles::parse(&config.roles)?;
    make_data_dir(&config)?;
    let listener = bind(&config.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|e| Error::broken("the listening address is not known").because(e))?;
    let origin = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let store = open(&config).await?;
    store.migrate(&migrations()).await?;
    let secret = admin::service_secret(&config)?;
    bootstrap(&config, &roles, &store, &origin, &secret).await?;

    let shutdown = stop::signalled();
    let (router, work) = assemble(&config, &roles, &store, &secret, shutdown.clone()).await?;
    println!("ready: {} on {origin}", roles.names());
    let router = stop::end_streams(router, shutdown.clone());
    let app = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let served = async {
        let (served, ()) = tokio::join!(server, work);
        served.map_err(|e| Error::unavailable("serving ended").because(e))
    };
    tokio::select! {
        served = served => served?,
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("some requests were still open after 9 s; what they started goes on at the next start");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn make_data_dir(config: &Config) -> Result<()> {
    let dir = config.data_dir.display();
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|e| Error::invalid(format!("the data directory {dir} cannot be made")).because(e))
}

async fn bind(listen: &str) -> Result<TcpListener> {
    TcpListener::bind(listen)
        .await
        .map_err(|e| Error::unavailable(format!("cannot listen on {listen}: choose another with --listen")).because(e))
}

/// First-start rows of the roles this process has.
async fn bootstrap(config: &Config, roles: &Roles, store: &Store, origin: &str, secret: &str) -> Result<()> {
    if roles.has(Role::Keystone) {
        let password = admin::password(config);
        let env = config.data_dir.join("admin.env");
        let existed = env.exists();
        admin::write_env(config, origin, &password)?;
        let wanted = keystone::Bootstrap {
            admin_password: password,
            service_secret: secret.to_owned(),
            region: config.region.clone(),
        };
        let made = keystone::bootstrap(store, &wanted).await?;
        if !made.fresh && !existed && config.admin_password.is_none() {
            // Another replica made the administrator: its password is not known here.
            std::fs::remove_file(&env).map_err(|e| Error::unavailable("admin.env cannot be removed").because(e))?;
        }
    }
    if roles.has(Role::Region) {
        region::setup::bootstrap(store, &config.region).await?;
    }
    Ok(())
}

/// Tokens verified in this process.
struct Tokens(Arc<Verifier>);

#[async_trait::async_trait]
impl Authenticate for Tokens {
    async fn authenticate(&self, token: &str) -> Result<Who> {
        self.0.verify_fresh(token, Timestamp::now()).await.map(|(who, _)| who)
    }
}

/// The services of this process, each behind its prefix, and the work they do in the background.
async fn assemble(
    config: &Config,
    roles: &Roles,
    store: &Store,
    secret: &str,
    shutdown: CancellationToken,
) -> Result<(Router, impl Future<Output = ()> + use<>)> {
    let verifier = keystone::verifier(store).await?;
    let gate = Gate {
        tokens: Arc::new(Tokens(verifier.clone())),
        policy: Arc::new(Policy::default()),
    };
    let peers = Peers::new(config, roles, secret)?;
    let mut services = Services::default();

    if roles.has(Role::Keystone) {
        let options = keystone::Options {
            public_url: config.public_url.clone(),
            prefix: "/identity".to_owned(),
            token_life: Duration::from_secs(u64::from(config.token_minutes) * 60),
        };
        let app = keystone::app(keystone::State::new(store.clone(), verifier, options)?);
        peers.keystone.fill(app.clone());
        services.identity = Some(app);
    }
    let mut sweeping = None;
    if roles.has(Role::Glance) {
        let mut state = glance::State::open(
            store.clone(),
            config.data_dir.join("images"),
            config.image_store.as_deref(),
        )?;
        state.options.import_allow = config
            .image_import_allow
            .iter()
            .map(|net| network(net))
            .collect::<Result<_>>()?;
        let app = gated(glance::app(state.clone()), &gate);
        peers.glance.fill(app.clone());
        services.image = Some(app);
        sweeping = Some(state);
    }
    if roles.has(Role::Scheduler) {
        let app = gated(scheduler::app(scheduler::State::new(store.clone())), &gate);
        peers.scheduler.fill(app.clone());
        services.placement = Some(app);
    }
    let mut working = None;
    if roles.has(Role::Region) {
        let mut state = region::State::new(
            store.clone(),
            drivers::registry(),
            peers.scheduler_as_us.clone(),
            peers.glance_as_us.clone(),
        );
        state.keep = task::Keep {
            at_hand: Duration::from_secs(u64::from(config.task_minutes) * 60),
            readable: Duration::from_secs(u64::from(config.task_history_days) * 86_400),
        };
        services.region = Some(gated(region::app(state.clone()), &gate));
        working = Some(state);
    }
    let replica = format!("{}-{}", std::process::id(), hex::encode(rand::random::<[u8; 4]>()));
    let work = async move {
        let region = async {
            if let Some(state) = working {
                region::setup::work(state, &replica, shutdown.clone()).await;
            }
        };
        let glance = async {
            if let Some(state) = sweeping {
                sweep(state, shutdown.clone()).await;
            }
        };
        tokio::join!(region, glance);
    };
    Ok((services.mount(config, roles, store)?, work))
}

fn network(text: &str) -> Result<ipnet::IpNet> {
    text.parse().map_err(|_| {
        Error::invalid(format!(
            "image_import_allow has `{text}`, which is not a network such as 10.0.0.0/8"
        ))
    })
}

/// Removes what aborted uploads left, now and then.
async fn sweep(state: glance::State, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(30));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = glance::sweep(&Cx::service("glance", "req-sweep"), &state).await {
            tracing::warn!("image contents could not be swept: {}", error.chain());
        }
    }
}

fn gated(app: Router, gate: &Gate) -> Router {
    app.layer(axum::middleware::from_fn(web::observe::record))
        .layer(axum::middleware::from_fn_with_state(
            gate.clone(),
            web::caller::identify,
        ))
}

/// The other services, as this process calls them.
struct Peers {
    keystone: Slot,
    glance: Slot,
    scheduler: Slot,
    glance_as_us: Peer,
    scheduler_as_us: Peer,
}

/// The end of a local peer, when it is local.
struct Slot(Option<web::peer::Slot>);

impl Slot {
    fn fill(&self, router: Router) {
        if let Some(slot) = &self.0 {
            slot.fill(router);
        }
    }
}

impl Peers {
    fn new(config: &Config, roles: &Roles, secret: &str) -> Result<Self> {
        let connect = |name, role, prefix: &str| -> Result<(Peer, Slot)> {
            if roles.has(role) {
                let (peer, slot) = Peer::local(name);
                return Ok((peer, Slot(Some(slot))));
            }
            // Only the region calls others; a role that calls nobody needs no addresses.
            if !roles.has(Role::Region) {
                return Ok((Peer::local(name).0, Slot(None)));
            }
            let bases = elsewhere(config, role)?;
            let bases = bases.iter().map(|origin| format!("{origin}{prefix}"));
            Ok((Peer::http(name, bases), Slot(None)))
        };
        let (keystone_peer, keystone) = connect("keystone", Role::Keystone, "/identity")?;
        let (glance_peer, glance) = connect("glance", Role::Glance, "/image")?;
        let (scheduler_peer, scheduler) = connect("scheduler", Role::Scheduler, "/placement")?;
        let login = Arc::new(Login::new(keystone_peer, "isobar", secret));
        Ok(Self {
            keystone,
            glance,
            scheduler,
            glance_as_us: glance_peer.logged_in(login.clone()),
            scheduler_as_us: scheduler_peer.logged_in(login),
        })
    }
}

/// The routers of this process.
#[derive(Default)]
struct Services {
    identity: Option<Router>,
    image: Option<Router>,
    placement: Option<Router>,
    region: Option<Router>,
}

impl Services {
    fn mount(self, config: &Config, roles: &Roles, store: &Store) -> Result<Router> {
        let checks = checks(store);
        if roles.has(Role::Apigateway) {
            return self.behind_gateway(config, checks);
        }
        let mut router = Router::new()
            .merge(web::health::routes(checks))
            .merge(web::observe::routes());
        for (prefix, app) in [
            ("/identity", self.identity),
            ("/image", self.image),
            ("/placement", self.placement),
        ] {
            if let Some(app) = app {
                router = router.nest_service(prefix, app);
            }
        }
        Ok(match self.region {
            Some(app) => router.fallback_service(app),
            None => router,
        })
    }

    fn behind_gateway(self, config: &Config, checks: Vec<Check>) -> Result<Router> {
        let upstream = |prefix: &str, app: Option<Router>, role| {
            Ok::<_, Error>(match app {
                Some(app) if prefix.is_empty() => apigateway::Upstream::Local(app),
                Some(app) => apigateway::Upstream::Local(Router::new().nest_service(prefix, app)),
                None => apigateway::Upstream::Http(elsewhere(config, role)?),
            })
        };
        let options = apigateway::Options {
            identity: upstream("/identity", self.identity, Role::Keystone)?,
            image: upstream("/image", self.image, Role::Glance)?,
            placement: upstream("/placement", self.placement, Role::Scheduler)?,
            region: upstream("", self.region, Role::Region)?,
            documents: documents(),
            checks,
            secure_cookies: config
                .public_url
                .as_deref()
                .is_some_and(|url| url.starts_with("https://")),
            trust_forwarded: config.trust_forwarded,
            ..apigateway::Options::default()
        };
        Ok(apigateway::app(options))
    }
}

/// The OpenAPI documents, the region's first.
pub fn documents() -> Vec<(&'static str, utoipa::openapi::OpenApi)> {
    vec![
        (
            "region",
            web::docs::document(
                "Isobar region",
                "Servers, disks, networks and where they are.",
                region::operations(),
            ),
        ),
        (
            "scheduler",
            web::docs::document(
                "Isobar scheduler",
                "Where things go, and the capacity they hold.",
                scheduler::operations(),
            ),
        ),
        (
            "gateway",
            web::docs::document(
                "Isobar gateway",
                "Sessions, health and documents of the one origin.",
                apigateway::operations(),
            ),
        ),
    ]
}

fn checks(store: &Store) -> Vec<Check> {
    let store = store.clone();
    vec![Check::new("database", move || {
        let store = store.clone();
        async move { store.ping().await }
    })]
}
