//! Everything that can be asked about: each noun, its class in the rules, and the verbs that a route asks for.
//! A noun or verb that is not here is refused to everybody; `docs/generated/authz.txt` prints what is.

/// What most nouns have.
pub const COMMON: &[&str] = &["list", "get", "create", "update", "delete"];

/// One kind of thing and what can be done to it.
#[derive(Clone, Copy, Debug)]
pub struct Noun {
    pub name: &'static str,
    /// The group of nouns that rules name.
    pub class: &'static str,
    /// Those of [`COMMON`] it has.
    pub common: &'static [&'static str],
    pub actions: &'static [&'static str],
}

impl Noun {
    pub fn verbs(&self) -> impl Iterator<Item = &'static str> {
        self.common.iter().chain(self.actions).copied()
    }
}

const fn noun(
    class: &'static str,
    name: &'static str,
    common: &'static [&'static str],
    actions: &'static [&'static str],
) -> Noun {
    Noun {
        name,
        class,
        common,
        actions,
    }
}

pub const NOUNS: &[Noun] = &[
    // Shared by all projects, and everybody may see them: what one can be placed on.
    noun("visible", "region", COMMON, &[]),
    noun("visible", "zone", &["list", "get", "create", "delete"], &[]),
    noun("visible", "flavor", COMMON, &[]),
    // Shared, for operators.
    noun(
        "operated",
        "host",
        &["list", "get", "update", "delete"],
        &["enable", "disable", "drain"],
    ),
    noun("operated", "storage", &["list", "get"], &[]),
    noun("operated", "cloud-account", COMMON, &["sync"]),
    noun("operated", "claim", COMMON, &[]),
    noun("operated", "quota", &["list", "update"], &[]),
    noun("operated", "queue", &["list"], &["pause", "resume"]),
    noun("secret", "join-token", &["create"], &[]),
    // Owned by a project.
    noun(
        "owned",
        "server",
        COMMON,
        &["start", "stop", "reboot", "resize", "rebuild", "attach", "detach"],
    ),
    noun("owned", "disk", COMMON, &["attach", "detach", "resize", "snapshot"]),
    noun("owned", "snapshot", COMMON, &["revert"]),
    noun(
        "owned",
        "image",
        COMMON,
        &["upload", "download", "import", "share", "deactivate", "reactivate"],
    ),
    noun("owned", "network", COMMON, &[]),
    noun("owned", "keypair", &["list", "get", "create", "delete"], &[]),
    noun("owned", "task", &["list", "get"], &["cancel", "retry"]),
    noun("owned", "event", &["list"], &[]),
    // Kept by keystone.
    noun("people", "user", COMMON, &[]),
    noun("people", "group", COMMON, &["add-user", "remove-user"]),
    noun("people", "role-assignment", &["list", "get", "create", "delete"], &[]),
    noun("people", "project", COMMON, &[]),
    noun("people", "domain", COMMON, &[]),
    noun("naming", "role", COMMON, &[]),
    noun("naming", "service", COMMON, &[]),
    noun("naming", "endpoint", COMMON, &[]),
];
