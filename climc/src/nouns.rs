//! Every noun of the command line, in the order the help shows them.

mod account;
mod api;
mod context;
mod disk;
mod doctor;
mod event;
mod host;
mod identity;
mod image;
mod network;
mod ops;
mod quota;
mod server;
mod simple;
mod snapshot;
mod task;

use crate::noun::Noun;

pub static ALL: &[&Noun] = &[
    &server::SERVER,
    &disk::DISK,
    &snapshot::SNAPSHOT,
    &image::IMAGE,
    &network::NETWORK,
    &simple::FLAVOR,
    &simple::KEYPAIR,
    &host::HOST,
    &simple::STORAGE,
    &simple::ZONE,
    &simple::REGION,
    &account::CLOUD_ACCOUNT,
    &task::TASK,
    &event::EVENT,
    &ops::OPS,
    &quota::QUOTA,
    &identity::PROJECT,
    &identity::USER,
    &identity::GROUP,
    &identity::ROLE,
    &api::TOKEN,
    &api::API,
    &doctor::DOCTOR,
    &context::CONTEXT,
    &context::COMPLETION,
    &context::VERSION,
];

/// By name; the plural is understood too.
pub fn find(name: &str) -> Option<&'static Noun> {
    let same = |noun: &&&Noun| noun.name == name || name.strip_suffix('s') == Some(noun.name);
    ALL.iter().find(same).copied()
}
