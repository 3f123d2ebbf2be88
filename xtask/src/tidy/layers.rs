//! Who may import whom. Imports go down only, never sideways, and some libraries have one home.

use toml::{Table, Value};

use super::{Finding, line_of};
use crate::tree::Tree;

/// From the bottom up. A crate may use what stands in a line above its own.
const LAYERS: &[&[&str]] = &[
    &["core/types"],
    &["core/auth", "scheduler/engine", "drivers/contract", "sdk/rust"],
    &[
        "core/store",
        "drivers/layers",
        "drivers/conformance",
        "drivers/*",
        "climc",
    ],
    &["drivers"],
    &["core/task"],
    &["core/web"],
    &[
        "core/testkit",
        "keystone",
        "region",
        "scheduler",
        "glance",
        "apigateway",
    ],
    &["."],
];

/// Narrower than the layers: these crates use nothing of ours but what is listed.
const ONLY: &[(&str, &[&str])] = &[
    ("climc", &["sdk/rust", "core/types"]),
    ("sdk/rust", &["core/types"]),
    ("scheduler/engine", &["core/types"]),
    ("drivers/*", &["core/types", "drivers/contract"]),
    ("xtask", &[]),
];

/// What tests may use besides, of any layer.
const FOR_TESTS: &[&str] = &["core/testkit", "drivers/conformance", "drivers/layers", "drivers/sim"];

/// Tests of the first may assemble the others: its workflows are judged with the real neighbours, not with doubles.
const NEIGHBOURS: &[(&str, &[&str])] = &[("region", &["glance", "scheduler"])];

/// Crates that only the crates beside them may name. `*` stands for any ending.
const HOMES: &[(&str, &[&str])] = &[
    ("isobar-scheduler-engine", &["scheduler"]),
    ("isobar-sdk", &["climc", "."]),
    (
        "sea-orm",
        &[
            "core/types",
            "core/store",
            "core/task",
            "core/web",
            "core/testkit",
            "keystone",
            "region",
            "scheduler",
            "glance",
        ],
    ),
    ("sqlx*", &["core/store"]),
    ("rusqlite", &["core/store"]),
    ("tokio-postgres", &["core/store"]),
    ("virt*", &["drivers/kvm"]),
    ("aws-sdk-*", &["drivers/aws"]),
    ("aws-config", &["drivers/aws"]),
    ("aws-smithy-*", &["drivers/aws"]),
    ("aws-sigv4", &["drivers/aws"]),
    ("azure_*", &["drivers/azure"]),
    ("vim_rs", &["drivers/esxi"]),
    ("openstack_sdk", &["drivers/openstack"]),
    ("ldap3", &["keystone"]),
    ("ipmi-rs", &["drivers/baremetal"]),
];

pub fn parse(path: &str, text: &str) -> Result<Table, Finding> {
    text.parse::<Table>()
        .map_err(|error| Finding::new(path, 1, format!("not TOML: {}", error.message()), "mend its syntax"))
}

pub fn check(tree: &Tree) -> Vec<Finding> {
    let paths = places(tree);
    let mut findings = Vec::new();
    for (file, text) in tree.ending("Cargo.toml") {
        let Ok(table) = parse(file, text) else { continue };
        if !table.contains_key("package") {
            continue;
        }
        let from = file.strip_suffix("/Cargo.toml").unwrap_or(".");
        if from != "xtask" && layer(from).is_none() {
            let mend = "put it into LAYERS in xtask/src/tidy/layers.rs";
            findings.push(Finding::new(file, 1, format!("{from} has no layer"), mend));
        }
        for (section, name) in dependencies(&table) {
            let place = paths
                .iter()
                .find(|(package, _)| *package == name)
                .map(|(_, place)| place.as_str());
            let wrong = home(from, &name).or_else(|| place.and_then(|to| direction(from, to, section)));
            findings.extend(wrong.map(|(what, mend)| Finding::new(file, line_of(text, &name), what, mend)));
        }
    }
    findings
}

type Wrong = Option<(String, String)>;

fn home(from: &str, name: &str) -> Wrong {
    let of = |pattern: &str| {
        pattern
            .strip_suffix('*')
            .map_or(name == pattern, |start| name.starts_with(start))
    };
    let (_, homes) = HOMES.iter().find(|(pattern, _)| of(pattern))?;
    let what = format!("`{name}` belongs to {} alone", homes.join(", "));
    (!homes.contains(&from)).then(|| (what, "ask that crate for what you need".to_owned()))
}

fn direction(from: &str, to: &str, section: &str) -> Wrong {
    let beside = NEIGHBOURS.iter().any(|(tests, of)| *tests == from && of.contains(&to));
    if section == "dev-dependencies" && (beside || FOR_TESTS.contains(&to)) {
        return None;
    }
    let only = ONLY.iter().find(|(place, _)| fits(place, from)).map(|(_, only)| *only);
    if let Some(only) = only.filter(|only| !only.contains(&to)) {
        let what = format!("{from} imports {to}; of ours it may use only: {}", or_nothing(only));
        return Some((what, "move what is shared down into one of these".to_owned()));
    }
    let (mine, its) = (layer(from)?, layer(to)?);
    let mend = "move what is shared into a lower layer, or call it over its API".to_owned();
    (its >= mine).then(|| (format!("{from} imports {to}, which is not below it"), mend))
}

fn or_nothing(list: &[&str]) -> String {
    if list.is_empty() {
        "nothing".to_owned()
    } else {
        list.join(", ")
    }
}

/// An exact line wins over `drivers/*`.
fn layer(place: &str) -> Option<usize> {
    let exact = LAYERS.iter().position(|layer| layer.contains(&place));
    exact.or_else(|| {
        LAYERS
            .iter()
            .position(|layer| layer.iter().any(|pattern| fits(pattern, place)))
    })
}

/// `drivers/*` is every cloud: the crates of drivers/ that have no line of their own.
fn fits(pattern: &str, place: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => place.starts_with(start) && !LAYERS.iter().any(|layer| layer.contains(&place)),
        None => pattern == place,
    }
}

/// Package name and directory of everything of ours, from the root manifest.
fn places(tree: &Tree) -> Vec<(String, String)> {
    let root = tree
        .get("Cargo.toml")
        .and_then(|text| text.parse::<Table>().ok())
        .unwrap_or_default();
    let shared = root
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(Value::as_table);
    let ours = shared.into_iter().flatten().filter_map(|(name, wanted)| {
        let path = wanted.get("path")?.as_str()?;
        Some((name.clone(), path.to_owned()))
    });
    ours.collect()
}

fn dependencies(table: &Table) -> Vec<(&'static str, String)> {
    const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let names = |section: &'static str| {
        let list = table.get(section).and_then(Value::as_table);
        list.into_iter()
            .flat_map(Table::keys)
            .map(move |name| (section, name.clone()))
    };
    SECTIONS.into_iter().flat_map(names).collect()
}

#[cfg(test)]
mod tests;
