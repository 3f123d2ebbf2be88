//! The connection to libvirtd, made again after it restarted, and libvirt's errors in our words.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use contract::{Error, Kind, Result};
use virt::{connect::Connect, enumutil::Enum, error::ErrorNumber};

/// libvirtd answers five calls of one connection at a time, and a start takes a second: several share the work.
const CONNECTIONS: usize = 4;

pub struct Libvirt {
    uri: String,
    open: [Mutex<Option<Connect>>; CONNECTIONS],
    next: AtomicUsize,
}

impl Libvirt {
    pub fn new(uri: &str) -> Self {
        virt::error::clear_error_callback(); // libvirt would print every error to stderr
        Self {
            uri: uri.to_owned(),
            open: Default::default(),
            next: AtomicUsize::new(0),
        }
    }

    /// A living connection. Blocks while one is made.
    pub fn connect(&self) -> Result<Connect> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
        let mut open = self.open[turn].lock().unwrap_or_else(PoisonError::into_inner);
        // A connection learns that libvirtd is gone when it is used, so it is used for something small.
        if let Some(connection) = open.as_ref().filter(|c| c.lib_version().is_ok()) {
            return Ok(connection.clone());
        }
        let connection = Connect::open(Some(&self.uri)).map_err(|e| {
            let message = format!(
                "libvirtd does not answer at {}: start it, and see that qemu is installed",
                self.uri
            );
            Error::unavailable(message).code("libvirt_down").because(e)
        })?;
        *open = Some(connection.clone());
        Ok(connection)
    }
}

/// Wraps an error of libvirt: `what` is the sentence a user reads.
pub fn error(what: impl Into<String>) -> impl FnOnce(virt::error::Error) -> Error {
    move |below| {
        let denied = below.message().contains("Permission denied");
        let error = Error::new(kind(&below), what).because(below);
        match denied {
            true => error.details(serde_json::json!({
                "hint": "the user qemu runs as must be able to enter every directory above the agent's data directory"
            })),
            false => error,
        }
    }
}

/// Whether libvirt says that the thing is not there.
pub fn is_absent(error: &virt::error::Error) -> bool {
    use ErrorNumber::{NoDomain, NoNetwork};
    matches!(error.code(), Enum::Known(NoDomain | NoNetwork))
}

fn kind(error: &virt::error::Error) -> Kind {
    use ErrorNumber as N;
    let text = error.message();
    match error.code() {
        Enum::Known(N::NoDomain | N::NoNetwork) => Kind::NotFound,
        Enum::Known(N::DomExist | N::NetworkExist | N::OperationInvalid) => Kind::Conflict,
        Enum::Known(N::XmlError | N::InvalidArg | N::ConfigUnsupported) => Kind::Invalid,
        Enum::Known(N::NoSupport | N::OperationUnsupported) => Kind::Unsupported,
        Enum::Known(N::NoConnect | N::OperationTimeout | N::Rpc | N::SystemError) => Kind::Unavailable,
        Enum::Known(N::InternalError) if text.contains("closed") || text.contains("reset") => Kind::Unavailable,
        Enum::Known(N::NoMemory) => Kind::Capacity,
        _ if text.contains("Cannot allocate memory") => Kind::Capacity,
        _ => Kind::Broken,
    }
}
