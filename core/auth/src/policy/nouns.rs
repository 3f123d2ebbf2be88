//! Everything that can be asked about: each noun, its class in the rules, its verbs beside the common five.
//! A noun or verb that is not here is refused to everybody; `docs/generated/authz.txt` prints what is.

/// Verbs every noun has.
pub const COMMON: &[&str] = &["list", "get", "create", "update", "delete"];

/// One kind of thing and what can be done to it.
#[derive(Clone, Copy, Debug)]
pub struct Noun {
    pub name: &'static str,
    /// The group of nouns that rules name.
    pub class: &'static str,
    pub actions: &'static [&'static str],
}

impl Noun {
    pub fn verbs(&self) -> impl Iterator<Item = &'static str> {
        COMMON.iter().chain(self.actions).copied()
    }
}

const fn noun(class: &'static str, name: &'static str, actions: &'static [&'static str]) -> Noun {
    Noun { name, class, actions }
}

pub const NOUNS: &[Noun] = &[
    // Shared by all projects, and everybody may see them: what one can be placed on.
    noun("visible", "region", &[]),
    noun("visible", "zone", &[]),
    noun("visible", "flavor", &[]),
    // Shared, for operators.
    noun("operated", "host", &["enable", "disable", "drain", "maintain"]),
    noun("operated", "storage", &["enable", "disable"]),
    noun("operated", "cloud-account", &["sync", "probe", "enable", "disable"]),
    noun("operated", "claim", &[]),
    noun("operated", "quota", &[]),
    noun("operated", "queue", &["pause", "resume"]),
    noun("secret", "join-token", &["revoke"]),
    // Owned by a project.
    noun(
        "owned",
        "server",
        &[
            "start",
            "stop",
            "reboot",
            "resize",
            "rebuild",
            "attach",
            "detach",
            "console",
            "console-log",
            "migrate",
            "watch",
        ],
    ),
    noun("owned", "disk", &["attach", "detach", "resize", "snapshot"]),
    noun("owned", "snapshot", &["revert"]),
    noun(
        "owned",
        "image",
        &["upload", "download", "import", "share", "deactivate", "reactivate"],
    ),
    noun("owned", "network", &["addresses"]),
    noun("owned", "address", &["reserve", "release"]),
    noun("owned", "keypair", &[]),
    noun("owned", "task", &["cancel", "retry", "wait", "watch"]),
    noun("owned", "event", &["watch"]),
    // Kept by keystone.
    noun("people", "user", &["set-password"]),
    noun("people", "group", &["add-user", "remove-user"]),
    noun("people", "role-assignment", &[]),
    noun("people", "project", &[]),
    noun("people", "domain", &[]),
    noun("naming", "role", &[]),
    noun("naming", "service", &[]),
    noun("naming", "endpoint", &[]),
];
