//! Nouns without verbs of their own: flavor, keypair, storage, zone, region.

use types::{
    Size,
    api::{flavor, keypair, place},
};

use crate::{
    args,
    failure::Failure,
    generic::{self, DELETE_NOW, LIST, SHOW},
    noun::{Cx, Home, Noun, Verb},
};

pub static FLAVOR: Noun = Noun {
    name: "flavor",
    about: "The sizes servers come in",
    home: Home::Region("flavors"),
    columns: &["name", "vcpus", "memory:size", "disk:size", "created_at:age"],
    wide: &["id"],
    verbs: &[CREATE_FLAVOR, LIST, SHOW, DELETE_NOW],
};

const CREATE_FLAVOR: Verb = Verb {
    name: "create",
    about: "Make one",
    examples: "  climc flavor create small --vcpus 1 --memory 512M --disk 1G",
    args: |c| {
        args::batch(c.arg(args::new_name()))
            .arg(args::number("vcpus", "Virtual processors").required_unless_present("file"))
            .arg(args::size("memory", "For example 512M").required_unless_present("file"))
            .arg(args::size("disk", "The root disk, for example 10G").required_unless_present("file"))
            .arg(args::tags())
    },
    run: |cx| Box::pin(generic::create(cx, move || wanted_flavor(cx))),
};

fn wanted_flavor(cx: Cx) -> Result<flavor::Create, Failure> {
    Ok(flavor::Create {
        name: cx.need("name")?.to_owned(),
        vcpus: cx.value("vcpus").unwrap_or(1),
        memory: cx.value::<Size>("memory").unwrap_or_default(),
        disk: cx.value::<Size>("disk").unwrap_or_default(),
        tags: args::pairs(cx.list("tag")).collect(),
    })
}

pub static KEYPAIR: Noun = Noun {
    name: "keypair",
    about: "SSH keys that guests accept",
    home: Home::Region("keypairs"),
    columns: &["name", "public_key", "created_at:age"],
    wide: &["id"],
    verbs: &[CREATE_KEYPAIR, LIST, SHOW, DELETE_NOW],
};

const CREATE_KEYPAIR: Verb = Verb {
    name: "create",
    about: "Make a public key known",
    examples: "  climc keypair create me --public-key ~/.ssh/id_ed25519.pub",
    args: |c| {
        let file = args::opt("public-key", "FILE", "A public key file, or the key itself");
        args::batch(c.arg(args::new_name())).arg(file.required_unless_present("file"))
    },
    run: |cx| Box::pin(generic::create(cx, move || wanted_keypair(cx))),
};

fn wanted_keypair(cx: Cx) -> Result<keypair::Create, Failure> {
    let key = cx.need("public-key")?;
    let text = match key.contains(' ') {
        true => key.to_owned(),
        false => std::fs::read_to_string(key).map_err(|e| Failure::local(format!("`{key}` cannot be read"), e))?,
    };
    Ok(keypair::Create {
        name: cx.need("name")?.to_owned(),
        public_key: text.trim().to_owned(),
    })
}

pub static STORAGE: Noun = Noun {
    name: "storage",
    about: "Where hosts keep disks",
    home: Home::Region("storages"),
    columns: &["name", "host", "backend", "capacity:size", "claimed:size", "used:size"],
    wide: &["id", "host_id", "created_at:age"],
    verbs: &[LIST, SHOW],
};

pub static ZONE: Noun = Noun {
    name: "zone",
    about: "Parts of a region that fail independently",
    home: Home::Region("zones"),
    columns: &["name", "region", "created_at:age"],
    wide: &["id"],
    verbs: &[CREATE_ZONE, LIST, SHOW, DELETE_NOW],
};

const CREATE_ZONE: Verb = Verb {
    name: "create",
    about: "Make one",
    examples: "",
    args: |c| args::batch(c.arg(args::new_name())),
    run: |cx| {
        Box::pin(generic::create(cx, move || {
            Ok(place::CreateZone {
                name: cx.need("name")?.to_owned(),
            })
        }))
    },
};

pub static REGION: Noun = Noun {
    name: "region",
    about: "Regions of this installation",
    home: Home::Region("regions"),
    columns: &["name", "created_at:age"],
    wide: &["id"],
    verbs: &[LIST, SHOW],
};
