//! Cargo, run from inside of `cargo xtask`.

use std::{env, path::Path, process::Command};

/// Without what `cargo run` set for us: build scripts look at it, and would build everything anew for each caller.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if ours.iter().any(|prefix| text.starts_with(prefix)) || text == "CARGO_PRIMARY_PACKAGE" {
            cargo.env_remove(name);
        }
    }
    cargo
}
