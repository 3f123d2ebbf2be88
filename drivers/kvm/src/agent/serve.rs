//! The HTTPS server: only a certificate of our authority that names the controller gets past the handshake.

use std::{sync::Arc, time::Duration};

use axum::Router;
use contract::{Error, Result};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{agent::join::Membership, wire};

/// Who does not finish its handshake by then is not waited for.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long requests in flight may take when the agent stops.
const DRAIN: Duration = Duration::from_secs(8);

pub fn tls(membership: &Membership) -> Result<Arc<rustls::ServerConfig>> {
    let wrong = |what: &str| {
        Error::invalid(format!(
            "the {what} in agent.json is not valid: remove the file and join again"
        ))
    };
    let mut roots = RootCertStore::empty();
    let authority =
        CertificateDer::from_pem_slice(membership.authority.as_bytes()).map_err(|e| wrong("authority").because(e))?;
    roots.add(authority).map_err(|e| wrong("authority").because(e))?;
    let chain = CertificateDer::pem_slice_iter(membership.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| wrong("certificate").because(e))?;
    let key = PrivateKeyDer::from_pem_slice(membership.key.as_bytes()).map_err(|e| wrong("key").because(e))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|e| wrong("authority").because(e))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::broken("TLS cannot be set up").because(e))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|e| wrong("certificate or key").because(e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves until `stop`, then lets requests in flight end.
pub async fn accept(listener: TcpListener, tls: Arc<rustls::ServerConfig>, app: Router, stop: CancellationToken) {
    let acceptor = TlsAcceptor::from(tls);
    let connections = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, acceptor.clone(), app.clone(), stop.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: it passes.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, app: Router, stop: CancellationToken) {
    let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::warn!(%error, "a caller was turned away"),
        Err(_) => return,
    };
    if !is_controller(&stream) {
        return tracing::warn!("a caller with a certificate of our authority is not the controller");
    }
    let service = TowerToHyperService::new(app);
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// Agents have certificates of the same authority; they may not command each other.
fn is_controller(stream: &TlsStream<TcpStream>) -> bool {
    let (_, session) = stream.get_ref();
    let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) else {
        return false;
    };
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let mut names = certificate.subject().iter_common_name().map(|name| name.as_str());
    names.next() == Some(Ok(wire::CONTROLLER)) && names.next().is_none()
}
