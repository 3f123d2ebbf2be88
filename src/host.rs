//! `isobar agent`: this machine as a KVM host.

use std::process::ExitCode;

use types::{Error, Result};

use crate::{cli::Agent, settings, stop};

pub async fn run(flags: Agent) -> Result<ExitCode> {
    let filter = std::env::var("ISOBAR_LOG").unwrap_or_else(|_| "info".to_owned());
    settings::log(&filter, "text")?;
    std::fs::create_dir_all(&flags.data_dir).map_err(|e| {
        Error::invalid(format!(
            "the data directory {} cannot be made",
            flags.data_dir.display()
        ))
        .because(e)
    })?;
    let mut options = kvm::agent::Options::new(
        flags.join.unwrap_or_default(),
        flags.token.unwrap_or_default(),
        flags.data_dir,
    );
    options.listen = flags.listen;
    options.advertise = flags.advertise;
    options.libvirt_uri = flags.libvirt_uri;
    options.accel = flags.accel.parse()?;
    options.name = flags.name;
    let shutdown = stop::signalled();
    kvm::agent::run(options, async move { shutdown.cancelled().await }).await?;
    Ok(ExitCode::SUCCESS)
}
