//! `isobar doctor`: what this machine has and lacks, each red line with its cure.

use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use types::{Result, config::Config};

use crate::serve;

struct Line {
    what: &'static str,
    result: Result<String, Cure>,
}

/// What is wrong, and what helps.
struct Cure {
    wrong: String,
    help: String,
}

/// Prints the list. The exit code is 1 when anything is red.
pub async fn run(config: Config) -> Result<ExitCode> {
    let lines = vec![
        Line {
            what: "data directory",
            result: data_dir(&config.data_dir),
        },
        Line {
            what: "database",
            result: database(&config).await,
        },
        Line {
            what: "address",
            result: address(&config.listen).await,
        },
        program(
            "qemu-img",
            "images are probed and converted with it",
            "apt-get install qemu-utils",
        ),
        program(
            "qemu-system-x86_64",
            "guests run in it, on hosts",
            "apt-get install qemu-system-x86",
        ),
        program(
            "virsh",
            "hosts need libvirt",
            "apt-get install libvirt-daemon-system libvirt-clients",
        ),
        program(
            "dnsmasq",
            "libvirt hands out addresses with it",
            "apt-get install dnsmasq-base",
        ),
        Line {
            what: "hardware virtualisation",
            result: acceleration(),
        },
    ];
    let red = lines.iter().filter(|line| line.result.is_err()).count();
    for line in lines {
        match line.result {
            Ok(good) => println!("ok    {:<24} {good}", line.what),
            Err(cure) => println!(
                "FAIL  {:<24} {}\n      {:<24} cure: {}",
                line.what, cure.wrong, "", cure.help
            ),
        }
    }
    println!(
        "{}",
        if red == 0 {
            "everything is there".to_owned()
        } else {
            format!("{red} to mend")
        }
    );
    Ok(if red == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bad(wrong: impl Into<String>, help: impl Into<String>) -> Cure {
    Cure {
        wrong: wrong.into(),
        help: help.into(),
    }
}

/// Looking leaves nothing behind: a directory that is not there yet is tried by the nearest one above it.
fn data_dir(dir: &Path) -> Result<String, Cure> {
    let good = if dir.exists() {
        dir.display().to_string()
    } else {
        format!("{}, made at the first start", dir.display())
    };
    let nearest = dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let probe = nearest.join(".doctor");
    let write = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    write.map(|()| good).map_err(|e| {
        bad(
            format!("{} cannot be written: {e}", dir.display()),
            "give another with --data-dir, or change its owner",
        )
    })
}

async fn database(config: &Config) -> Result<String, Cure> {
    // Opening SQLite would make the file.
    if config.database_url.is_none() && !serve::sqlite_file(config).exists() {
        return Ok("SQLite, made at the first start".to_owned());
    }
    let kind = if config.database_url.is_some() {
        "PostgreSQL"
    } else {
        "SQLite"
    };
    let answer = async { serve::open(config).await?.ping().await };
    answer
        .await
        .map(|()| format!("{kind} answers"))
        .map_err(|e| bad(e.chain(), "check --database-url, and that the server runs"))
}

async fn address(listen: &str) -> Result<String, Cure> {
    match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => Ok(format!("{listen} is free")),
        Err(error) => Err(bad(
            format!("{listen}: {error}"),
            "stop what uses it, or choose another with --listen",
        )),
    }
}

fn program(name: &'static str, why: &str, cure: &str) -> Line {
    let found = Command::new(name)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let result = match found {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            Ok(text.lines().next().unwrap_or("found").chars().take(60).collect())
        }
        Err(_) => Err(bad(format!("not found: {why}"), cure)),
    };
    Line { what: name, result }
}

fn acceleration() -> Result<String, Cure> {
    match std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Ok(_) => Ok("/dev/kvm opens; the agent finds out whether guests really run with it".to_owned()),
        // Emulation works everywhere, so this is never red.
        Err(error) => Ok(format!("none (/dev/kvm: {error}); guests are emulated, which is slow")),
    }
}
