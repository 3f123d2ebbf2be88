//! climc: the Isobar command line. `cli` builds it from the table in `nouns`; this file only starts it.

mod app;
mod args;
mod batch;
mod cli;
mod complete;
mod contexts;
mod documents;
mod failure;
mod generic;
mod noun;
mod nouns;
mod output;
mod progress;
mod select;
mod table;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cli::run(std::env::args().collect()))
}
