//! The command line of `isobar`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use types::Result;

use crate::{doctor, host, reference, serve, settings};

/// Isobar: one resource model over private hosts and public clouds.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Isobar {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve all roles in one process, or some of them.
    Serve(Common),
    /// Run on a KVM host: drives its libvirt for the controller.
    Agent(Agent),
    /// Bring the database to this version's schema and stop.
    Migrate(Common),
    /// Check what this machine needs, with the cure for each thing that is missing.
    Doctor(Common),
    /// Print an OpenAPI document.
    #[command(hide = true)]
    Openapi { name: String },
    /// Print the configuration page.
    #[command(hide = true)]
    ConfigReference,
    /// Print the state machines.
    #[command(hide = true)]
    States,
}

/// What overrides the configuration file and the environment.
#[derive(Args, Default)]
pub struct Common {
    /// A TOML file; see docs/generated/configuration.md.
    #[arg(long, value_name = "FILE", env = "ISOBAR_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where SQLite, images, keys and admin.env live.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// postgres://... shared by all replicas.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Any of keystone, region, scheduler, glance, apigateway; all when absent.
    #[arg(long, value_name = "ROLE,...", value_delimiter = ',')]
    pub role: Vec<String>,
    /// The origin clients use, when a proxy stands before this process.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

#[derive(Args)]
pub struct Agent {
    /// Where the controller is; needed once.
    #[arg(long, value_name = "URL", env = "ISOBAR_JOIN_URL")]
    pub join: Option<String>,
    /// From `climc host join-token`; needed once.
    #[arg(long, value_name = "TOKEN", env = "ISOBAR_JOIN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Where keys, disks, images and the journal live.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/isobar-agent")]
    pub data_dir: PathBuf,
    /// Address and port to answer the controller on; port 0 takes a free one and keeps it.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// The address or name the controller reaches this host by, when it differs; the port is that of --listen.
    #[arg(long, value_name = "ADDR")]
    pub advertise: Option<String>,
    #[arg(
        long,
        value_name = "URI",
        env = "ISOBAR_LIBVIRT_URI",
        default_value = "qemu:///system"
    )]
    pub libvirt_uri: String,
    /// auto, kvm or qemu. auto uses KVM only where a guest really runs with it.
    #[arg(long, value_name = "KIND", env = "ISOBAR_ACCEL", default_value = "auto")]
    pub accel: String,
    /// What people call this host; its host name when absent.
    #[arg(long)]
    pub name: Option<String>,
}

pub async fn run(isobar: Isobar) -> Result<ExitCode> {
    match isobar.command {
        Command::Serve(common) => serve::run(settings::load(common)?).await,
        Command::Agent(agent) => host::run(agent).await,
        Command::Migrate(common) => serve::migrate(settings::load(common)?).await,
        Command::Doctor(common) => doctor::run(settings::load(common)?).await,
        Command::Openapi { name } => print(reference::openapi(&name)?),
        Command::ConfigReference => print(reference::configuration()),
        Command::States => print(reference::machines()),
    }
}

fn print(text: String) -> Result<ExitCode> {
    println!("{}", text.trim_end());
    Ok(ExitCode::SUCCESS)
}
