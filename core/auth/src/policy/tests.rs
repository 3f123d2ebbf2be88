//! The personas against the default rules, and the golden table.

use std::time::Instant;

use types::UserId;

use super::*;

fn who(scope: Scope, roles: &[&str]) -> Who {
    Who {
        user: UserId::new(),
        user_name: "anna".to_owned(),
        domain: default_domain(),
        scope,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    }
}

fn project() -> Scope {
    Scope::Project {
        id: "p1".parse().unwrap(),
        domain: "d1".parse().unwrap(),
    }
}

fn domain() -> Scope {
    Scope::Domain {
        id: "d1".parse().unwrap(),
    }
}

#[test]
fn personas_reach_as_far_as_they_should() {
    let own_project = Reach::Project("p1".parse().unwrap());
    let own_domain = Reach::Domain("d1".parse().unwrap());
    let policy = Policy::default();
    let check = |scope: Scope, roles: &[&str], noun: &str, verb: &str, expected: &Reach| {
        let reach = policy.reach(&who(scope.clone(), roles), noun, verb);
        assert_eq!(&reach, expected, "{scope:?} {roles:?} {noun} {verb}");
    };
    for scope in [Scope::System, domain(), project()] {
        check(scope.clone(), &["admin"], "host", "delete", &Reach::Everything);
        check(scope.clone(), &["service"], "server", "update", &Reach::Everything);
        check(scope.clone(), &["reader"], "zone", "list", &Reach::Everything);
        check(scope.clone(), &["manager"], "zone", "create", &Reach::Nothing);
        check(scope.clone(), &["no-such-role"], "zone", "list", &Reach::Nothing);
        check(scope, &[], "server", "get", &Reach::Nothing);
    }
    check(project(), &["member"], "server", "reboot", &own_project);
    check(project(), &["reader"], "server", "get", &own_project);
    check(project(), &["reader"], "server", "reboot", &Reach::Nothing);
    check(project(), &["reader", "member"], "server", "reboot", &own_project);
    check(project(), &["member"], "user", "create", &Reach::Nothing);
    check(project(), &["manager"], "host", "list", &Reach::Nothing);
    check(domain(), &["manager"], "user", "create", &own_domain);
    check(domain(), &["member"], "server", "create", &Reach::Nothing);
    check(domain(), &["reader"], "server", "list", &own_domain);
    check(Scope::System, &["reader"], "server", "list", &Reach::Everything);
    check(Scope::System, &["manager"], "server", "create", &Reach::Nothing);
    check(Scope::System, &["reader"], "join-token", "list", &Reach::Nothing);
}

#[test]
fn the_unknown_and_the_unscoped_are_denied_even_to_admins() {
    let policy = Policy::default();
    let admin = who(Scope::System, &["admin"]);
    assert_eq!(policy.reach(&admin, "spaceship", "list"), Reach::Nothing);
    assert_eq!(policy.reach(&admin, "server", "teleport"), Reach::Nothing);
    let unscoped = who(Scope::Unscoped, &["admin"]);
    assert_eq!(policy.reach(&unscoped, "server", "list"), Reach::Nothing);
}

#[test]
fn a_rule_about_nothing_known_is_an_error() {
    for rule in [
        "p, admin, *, *, *",
        "p, boss, *, *, *, everything",
        "p, admin, *, spaceship, *, everything",
        "p, admin, galaxy, *, *, everything",
        "p, admin, *, *, teleport, everything",
        "p, admin, *, *, *, most",
    ] {
        assert!(Policy::parse(rule).is_err(), "{rule}");
    }
    let none = Policy::parse("# nothing").unwrap();
    let admin = who(Scope::System, &["admin"]);
    assert_eq!(none.reach(&admin, "server", "list"), Reach::Nothing);
}

#[test]
fn every_shared_noun_is_known_and_not_owned() {
    for shared in SHARED {
        let noun = NOUNS.iter().find(|noun| noun.name == *shared).unwrap();
        assert_ne!(noun.class, "owned", "{shared}");
    }
}

#[test]
fn the_generated_table_is_current() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/generated/authz.txt");
    expect_test::expect_file![file].assert_eq(&matrix());
}

#[test]
fn a_decision_is_a_look_up() {
    let policy = Policy::default();
    let caller = who(project(), &["member", "reader"]);
    let start = Instant::now();
    for _ in 0..10_000 {
        assert!(!policy.reach(&caller, "server", "reboot").is_nothing());
    }
    // 200 µs each would still mean evaluation of rules; a look-up stays far below even unoptimised and under load.
    assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
}
