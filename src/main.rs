//! The Isobar server: one binary, every role. This is the composition root, the only place that knows all services.

mod admin;
mod cli;
mod doctor;
mod host;
mod reference;
mod roles;
mod serve;
mod settings;
mod stop;

use clap::Parser;

fn main() -> std::process::ExitCode {
    // reqwest and rustls could use either of two providers that are linked; one must be chosen before the first use.
    let chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
    debug_assert!(chosen.is_ok(), "nothing installs a provider before main");
    let command = cli::Isobar::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli::run(command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", error.message);
            error.causes.iter().for_each(|cause| eprintln!("  because: {cause}"));
            std::process::ExitCode::FAILURE
        }
    }
}
