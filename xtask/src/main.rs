//! What a contributor runs besides cargo: tidy (house rules), gen (files made from code), bench (numbers),
//! chaos (kill -9 at random).

mod args;
mod bench;
mod cargo;
mod chaos;
mod diff;
mod r#gen;
mod names;
mod source;
mod tidy;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{args::Args, tree::Tree};

const USAGE: &str = "\
cargo xtask tidy            check what the compiler does not: layers, sizes, headers, words, released names
cargo xtask gen [--check]   write the files made from code; --check only compares them
cargo xtask bench spine     measure; --quick for a short run, --help for the rest
cargo xtask chaos           kill -9 at random moments, then compare; --help for seed, size and database";

fn main() -> ExitCode {
    match run(Args::new(std::env::args().skip(1))) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: Args) -> Result<ExitCode> {
    let Some(command) = args.word() else {
        println!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let root = tree::root()?;
    match command.as_str() {
        "tidy" => {
            args.done()?;
            Ok(tidy::run(&Tree::read(&root)?))
        }
        "gen" => {
            let mode = if args.flag("--check") {
                r#gen::Mode::Check
            } else {
                r#gen::Mode::Write
            };
            args.done()?;
            r#gen::run(&root, mode)
        }
        "bench" => bench::run(&root, args),
        "chaos" => chaos::run(&root, args),
        "-h" | "--help" | "help" => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("there is no command {other}; they are:\n{USAGE}"),
    }
}
