//! What every member's Cargo.toml has in common: versions and lints come from the root, and each cloud has a feature.

use toml::{Table, Value};

use super::{Finding, layers::parse, line_of};
use crate::tree::Tree;

const SECTIONS: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending("Cargo.toml") {
        let table = match parse(path, text) {
            Ok(table) => table,
            Err(finding) => {
                findings.push(finding);
                continue;
            }
        };
        findings.extend(versions(path, text, &table));
        if table.contains_key("package") && flag(table.get("lints")) != Some(true) {
            findings.push(Finding::new(
                path,
                1,
                "the workspace's lints are not on",
                "add `[lints]` with `workspace = true`",
            ));
        }
    }
    findings.extend(features(tree));
    findings
}

fn flag(table: Option<&Value>) -> Option<bool> {
    table?.get("workspace")?.as_bool()
}

fn versions(path: &str, text: &str, table: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    let targets = table
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    for section in targets
        .chain([table])
        .flat_map(|table| SECTIONS.iter().filter_map(|name| table.get(*name)?.as_table()))
    {
        for (name, wanted) in section.iter().filter(|(_, wanted)| flag(Some(wanted)) != Some(true)) {
            let what = format!("`{name} = {wanted}`: versions stand in the root Cargo.toml only");
            findings.push(Finding::new(
                path,
                line_of(text, name),
                what,
                format!("write `{name}.workspace = true`"),
            ));
        }
    }
    findings
}

/// Every crate below drivers/ that is a cloud is one feature of `drivers` with its directory's name, and nothing more.
fn features(tree: &Tree) -> Vec<Finding> {
    let facade = "drivers/Cargo.toml";
    let Some(table) = tree.get(facade).and_then(|text| parse(facade, text).ok()) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (path, _) in tree.ending("/Cargo.toml") {
        let Some(cloud) = path
            .strip_prefix("drivers/")
            .and_then(|rest| rest.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        if cloud.contains('/') || ["contract", "layers", "conformance"].contains(&cloud) {
            continue;
        }
        let wanted = format!("dep:isobar-driver-{cloud}");
        let given = table
            .get("features")
            .and_then(|features| features.get(cloud))
            .and_then(Value::as_array);
        if given.is_none_or(|given| given.len() != 1 || given[0].as_str() != Some(&wanted)) {
            let what = format!("driver `{cloud}` is not exactly one feature");
            findings.push(Finding::new(
                facade,
                1,
                what,
                format!("write `{cloud} = [\"{wanted}\"]` under [features]"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        super::super::said(&super::check(&Tree::sample(files)))
    }

    #[test]
    fn versions_and_lints_come_from_the_root() {
        let good = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n[dependencies]\nx.workspace = true\n";
        assert_eq!(check(&[("region/Cargo.toml", good)]), Vec::<String>::new());
        let bad = "[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"\nx = { path = \"../x\" }\n";
        let found = check(&[("region/Cargo.toml", bad)]);
        assert!(
            found[0].starts_with("region/Cargo.toml:4: `serde = \"1\"`: versions stand"),
            "{found:?}"
        );
        assert_eq!(found.len(), 3, "{found:?}");
        let odd = check(&[("region/Cargo.toml", "[package\n")]);
        assert!(odd[0].starts_with("region/Cargo.toml:1: not TOML"), "{odd:?}");
    }

    #[test]
    fn a_cloud_is_a_feature() {
        let facade = ("drivers/Cargo.toml", "[features]\nsim = [\"dep:isobar-driver-sim\"]\n");
        assert_eq!(
            check(&[
                facade,
                ("drivers/sim/Cargo.toml", ""),
                ("drivers/layers/Cargo.toml", "")
            ]),
            Vec::<String>::new()
        );
        assert_eq!(check(&[facade, ("drivers/aws/Cargo.toml", "")]).len(), 1);
    }
}
