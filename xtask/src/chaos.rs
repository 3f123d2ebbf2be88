//! `chaos`: the test of `tests/e2e/chaos.rs` at full size, with a seed that is said and can be asked for again.

use std::{
    path::Path,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};

use crate::{args::Args, cargo::cargo};

const USAGE: &str = "\
cargo xtask chaos [--seed N] [--servers N] [--kills N] [--database postgres|sqlite]

  kill -9 at random moments while servers are made, deleted and cancelled on a simulated cloud; then what the tables
  and the cloud have is compared. On PostgreSQL every role is a process, region three times, and PostgreSQL dies too.

  --seed      of an earlier run, for the same victims and wishes (default: another each time)
  --servers   how many (default: 500)
  --kills     how many (default: 200)
  --database  default: postgres";

pub fn run(root: &Path, mut args: Args) -> Result<ExitCode> {
    if args.flag("--help") || args.flag("-h") {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let clock = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos();
    let seed = args.number("--seed")?.unwrap_or(usize::try_from(clock)?);
    let servers = args.number("--servers")?.unwrap_or(500);
    let kills = args.number("--kills")?.unwrap_or(200);
    let database = args.option("--database")?.unwrap_or_else(|| "postgres".to_owned());
    args.done()?;
    let test = match database.as_str() {
        "postgres" => "chaos::chaos_on_postgres",
        "sqlite" => "chaos::chaos_on_sqlite",
        other => bail!("there is no database {other}; there are: postgres, sqlite"),
    };
    let again = format!("cargo xtask chaos --seed {seed} --servers {servers} --kills {kills} --database {database}");
    eprintln!("chaos: to do the same again: {again}");
    let filter = format!("package(isobar) & binary(e2e) & test(={test})");
    // All tests are built, as in ./test: climc is built with its own.
    let passed = cargo(root)
        .args(["nextest", "run", "--workspace", "--profile", "chaos", "--no-capture"])
        .args(["-E", &filter])
        .env("ISOBAR_CHAOS_SEED", seed.to_string())
        .env("ISOBAR_CHAOS_SERVERS", servers.to_string())
        .env("ISOBAR_CHAOS_KILLS", kills.to_string())
        .status()
        .context("cargo cannot be run")?;
    Ok(if passed.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
