//! The entry point: a login, made when first needed, and handles for every noun.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::Value;
use types::Timestamp;

use crate::{Auth, Call, Result, Session, cache, http::Transport};

/// Which of the services of the catalog a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Servers, disks, networks, hosts, tasks, events.
    Region,
    Identity,
    Image,
}

impl Service {
    /// Its type in the catalog.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Region => "isobar",
            Self::Identity => "identity",
            Self::Image => "image",
        }
    }
}

/// How the client behaves; the defaults suit a program.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often a request that may be repeated is sent at most.
    pub attempts: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long all attempts of a call may take together, with the pauses between them. A call whose one attempt may
    /// take longer has that long.
    pub deadline: Duration,
    /// Where tokens are kept between processes; `None` keeps them in memory only.
    pub cache: Option<PathBuf>,
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            attempts: 4,
            timeout: Duration::from_secs(60),
            deadline: Duration::from_secs(120),
            cache: None,
            user_agent: concat!("isobar-sdk/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A connection to one Isobar. Cheap to clone; clones share the login and the sockets.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    auth: Auth,
    options: Options,
    transport: Transport,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
}

impl Client {
    /// With the login of the `OS_*` variables.
    pub fn from_env() -> Result<Self> {
        Ok(Self::connect(Auth::from_env()?))
    }

    /// With this login. Nothing is sent before the first call.
    pub fn connect(auth: Auth) -> Self {
        Self::with(auth, Options::default())
    }

    pub fn with(auth: Auth, options: Options) -> Self {
        Self(Arc::new(Inner {
            auth,
            options,
            transport: Transport::default(),
            session: tokio::sync::Mutex::new(None),
        }))
    }

    pub fn auth(&self) -> &Auth {
        &self.0.auth
    }

    pub fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// A request to any path of a service, for what has no method of its own.
    pub fn call(&self, method: Method, service: Service, path: impl Into<String>) -> Call {
        Call::new(self.clone(), method, service, path.into())
    }

    /// The login in use: from memory, from the cache, or a new one.
    pub async fn session(&self) -> Result<Arc<Session>> {
        let mut held = self.0.session.lock().await;
        let now = Timestamp::now();
        if let Some(session) = held.as_ref().filter(|session| session.is_fresh(now)) {
            return Ok(session.clone());
        }
        let cached = self
            .0
            .options
            .cache
            .as_deref()
            .and_then(|dir| cache::load(dir, &self.0.auth));
        let session = match cached.filter(|session| session.is_fresh(now)) {
            Some(session) => Arc::new(session),
            None => self.login().await?,
        };
        *held = Some(session.clone());
        Ok(session)
    }

    /// A new login, whatever is cached.
    pub async fn renew(&self) -> Result<Arc<Session>> {
        let mut held = self.0.session.lock().await;
        let session = self.login().await?;
        *held = Some(session.clone());
        Ok(session)
    }

    /// Replaces a session that a service refused, once for all calls that noticed.
    pub(crate) async fn replace(&self, refused: &Session) -> Result<Arc<Session>> {
        let mut held = self.0.session.lock().await;
        if let Some(session) = held.as_ref().filter(|session| session.token != refused.token) {
            return Ok(session.clone());
        }
        if let Some(dir) = &self.0.options.cache {
            cache::forget(dir, &self.0.auth);
        }
        let session = self.login().await?;
        *held = Some(session.clone());
        Ok(session)
    }

    /// Boxed because a login is itself a call, and calls log in.
    fn login(&self) -> BoxFuture<'_, Result<Arc<Session>>> {
        Box::pin(self.log_in())
    }

    async fn log_in(&self) -> Result<Arc<Session>> {
        let auth = &self.0.auth;
        let body = auth.request()?;
        let session = match &auth.token {
            // Nothing to change about the token: only its catalog is wanted.
            Some(token) if auth.password.is_none() && body["auth"].get("scope").is_none() => {
                let call = self.call(Method::GET, Service::Identity, "auth/tokens").anonymous();
                let call = call.header("x-auth-token", token).header("x-subject-token", token);
                let reply = call.send().await?;
                Session::read(token.clone(), &reply.body)?
            }
            _ => self.post_login(&body).await?,
        };
        if let Some(dir) = &self.0.options.cache {
            cache::store(dir, auth, &session);
        }
        Ok(Arc::new(session))
    }

    async fn post_login(&self, body: &Value) -> Result<Session> {
        let call = self.call(Method::POST, Service::Identity, "auth/tokens").anonymous();
        let reply = call.json(body).repeatable().send().await?;
        let token = reply.header("x-subject-token").unwrap_or_default().to_owned();
        if token.is_empty() {
            let message = format!("{} answered the login without a token", self.0.auth.auth_url);
            return Err(types::Error::broken(message).into());
        }
        Session::read(token, &reply.body)
    }
}
