//! The HTTP clients underneath, each made when first needed: loading root certificates is slow.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, Url, redirect};
use types::Kind;

use crate::{Error, Result};

#[derive(Default)]
pub(crate) struct Transport {
    plain: OnceLock<Client>,
    local: OnceLock<Client>,
    tls: OnceLock<Client>,
}

impl Transport {
    /// The client for an address: none trusts anything it does not need to.
    pub(crate) fn client(&self, url: &Url, agent: &str, cacert: Option<&str>) -> Result<&Client> {
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let (slot, builder) = match (url.scheme(), local) {
            ("https", _) => (&self.tls, trusting(cacert)?),
            (_, true) => (&self.local, Client::builder().tls_certs_only([]).no_proxy()),
            (_, false) => (&self.plain, Client::builder().tls_certs_only([])),
        };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = common(builder, agent)
            .build()
            .map_err(|e| Error::new(Kind::Broken, "the HTTP client cannot be set up").because(e))?;
        Ok(slot.get_or_init(|| client))
    }
}

fn common(builder: ClientBuilder, agent: &str) -> ClientBuilder {
    builder
        .user_agent(agent)
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .tcp_nodelay(true)
}

fn trusting(cacert: Option<&str>) -> Result<ClientBuilder> {
    let Some(file) = cacert else {
        return Ok(Client::builder());
    };
    let wrong = |cause: &dyn std::error::Error| {
        Error::new(Kind::Invalid, format!("OS_CACERT `{file}` cannot be used: {cause}"))
    };
    let pem = std::fs::read(file).map_err(|e| wrong(&e))?;
    let roots = Certificate::from_pem_bundle(&pem).map_err(|e| wrong(&e))?;
    Ok(Client::builder().tls_certs_only(roots))
}
