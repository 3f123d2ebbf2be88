//! Layers on samples: one manifest against the places of the real workspace.

use super::*;

const ROOT: &str = "
[workspace.dependencies]
isobar-types = { path = \"core/types\" }
isobar-auth = { path = \"core/auth\" }
isobar-store = { path = \"core/store\" }
isobar-testkit = { path = \"core/testkit\" }
isobar-region = { path = \"region\" }
isobar-glance = { path = \"glance\" }
isobar-keystone = { path = \"keystone\" }
isobar-drivers = { path = \"drivers\" }
isobar-driver-contract = { path = \"drivers/contract\" }
isobar-driver-conformance = { path = \"drivers/conformance\" }
isobar-driver-sim = { path = \"drivers/sim\" }
isobar-driver-kvm = { path = \"drivers/kvm\" }
isobar-scheduler-engine = { path = \"scheduler/engine\" }
isobar-sdk = { path = \"sdk/rust\" }
";

fn check(place: &str, section: &str, dependency: &str) -> Option<String> {
    let manifest = format!("[package]\nname = \"x\"\n[{section}]\n{dependency}.workspace = true\n");
    let file = format!("{place}/Cargo.toml");
    let findings = super::check(&Tree::sample(&[("Cargo.toml", ROOT), (&file, &manifest)]));
    assert!(findings.len() < 2, "{findings:?}");
    findings.first().map(ToString::to_string)
}

#[test]
fn downwards_is_allowed() {
    for (place, dependency) in [
        ("core/store", "isobar-auth"),
        ("region", "isobar-store"),
        ("region", "isobar-drivers"),
        ("drivers", "isobar-driver-kvm"),
        ("drivers/kvm", "isobar-driver-contract"),
        ("drivers/kvm", "virt"),
        ("climc", "isobar-sdk"),
        ("scheduler", "isobar-scheduler-engine"),
        ("core/auth", "aws-lc-rs"),
    ] {
        assert_eq!(check(place, "dependencies", dependency), None, "{place} {dependency}");
    }
}

#[test]
fn sideways_and_upwards_are_not() {
    let found = check("region", "dependencies", "isobar-glance").unwrap();
    let mend = "move what is shared into a lower layer, or call it over its API";
    assert_eq!(
        found,
        format!("region/Cargo.toml:4: region imports glance, which is not below it; {mend}")
    );
    for (place, dependency) in [
        ("core/store", "isobar-region"),
        ("core/auth", "isobar-driver-contract"),
        ("drivers/sim", "isobar-driver-kvm"),
        ("drivers/aws", "isobar-store"),
        ("drivers/aws", "isobar-drivers"),
        ("climc", "isobar-auth"),
        ("sdk/rust", "isobar-auth"),
        ("region", "isobar-scheduler-engine"),
        ("region", "isobar-testkit"),
        ("xtask", "isobar-types"),
    ] {
        assert!(
            check(place, "dependencies", dependency).is_some(),
            "{place} {dependency}"
        );
    }
}

#[test]
fn libraries_have_their_home() {
    let wanted = "glance/Cargo.toml:4: `virt` belongs to drivers/kvm alone; ask that crate for what you need";
    assert_eq!(check("glance", "dependencies", "virt").as_deref(), Some(wanted));
    for (place, library) in [
        ("climc", "sea-orm"),
        ("drivers/kvm", "sea-orm"),
        ("region", "sqlx-core"),
        ("drivers/azure", "aws-sdk-ec2"),
        ("core/auth", "ldap3"),
    ] {
        assert!(check(place, "dependencies", library).is_some(), "{place} {library}");
    }
    assert_eq!(check("drivers/aws", "dependencies", "aws-sdk-ec2"), None);
}

#[test]
fn tests_may_use_the_suites_and_still_no_other_service() {
    assert_eq!(
        check("drivers/kvm", "dev-dependencies", "isobar-driver-conformance"),
        None
    );
    assert_eq!(check("region", "dev-dependencies", "isobar-testkit"), None);
    assert!(check("drivers/kvm", "dependencies", "isobar-driver-conformance").is_some());
    assert!(check("scheduler", "dev-dependencies", "isobar-glance").is_some());
}

#[test]
fn tests_of_the_region_assemble_its_neighbours_and_its_code_does_not() {
    assert_eq!(check("region", "dev-dependencies", "isobar-glance"), None);
    assert!(check("region", "dependencies", "isobar-glance").is_some());
    assert!(check("region", "dev-dependencies", "isobar-keystone").is_some());
}

#[test]
fn a_new_crate_needs_a_layer() {
    let found = check("core/new", "dependencies", "isobar-types").unwrap();
    assert!(found.contains("core/new has no layer"), "{found}");
}
