//! The constraints of a request as bitmaps to keep or to subtract, in the order of [`Filter`].
//! Numbers are not read here.

use std::borrow::Cow;

use crate::{
    Filter, Rule,
    bitmap::{Bitmap, Row},
    query::Query,
    snapshot::Key,
};

/// One bitmap and whether hosts must be in it.
pub struct Clause<'a> {
    pub filter: Filter,
    set: Cow<'a, Bitmap>,
    wants: Wants,
}

enum Wants {
    In,
    Out,
}

impl Clause<'_> {
    pub fn apply(&self, left: &mut Bitmap) {
        match self.wants {
            Wants::In => left.keep(&self.set),
            Wants::Out => left.subtract(&self.set),
        }
    }

    pub fn admits(&self, row: Row) -> bool {
        match self.wants {
            Wants::In => self.set.contains(row),
            Wants::Out => !self.set.contains(row),
        }
    }
}

pub fn clauses<'a>(query: &Query<'a>) -> Vec<Clause<'a>> {
    let (snapshot, request) = (query.snapshot, query.request);
    let mut clauses = Vec::new();
    let mut with = |filter, wants, set| clauses.push(Clause { filter, set, wants });
    if let Some(id) = request.host {
        let only = snapshot.row(id).map(Bitmap::only).unwrap_or_default();
        with(Filter::Host, Wants::In, Cow::Owned(only));
    }
    for (filter, key) in named(query) {
        with(filter, Wants::In, Cow::Borrowed(snapshot.marked(&key)));
    }
    for tag in &request.tags.exclude {
        with(
            Filter::Tags,
            Wants::Out,
            Cow::Borrowed(snapshot.marked(&Key::Tag(tag.clone()))),
        );
    }
    for group in &request.groups {
        match group.rule {
            Rule::Together if query.is_unborn(&group.name) => {}
            Rule::Together => with(Filter::Affinity, Wants::In, members(query, &group.name)),
            Rule::Apart => with(Filter::Affinity, Wants::Out, members(query, &group.name)),
            Rule::PreferTogether | Rule::PreferApart => {}
        }
    }
    clauses
}

/// The properties a host must have.
fn named(query: &Query) -> Vec<(Filter, Key)> {
    let request = query.request;
    let mut named = Vec::new();
    named.extend(request.account.map(|id| (Filter::Account, Key::Account(id))));
    named.extend(request.driver.clone().map(|kind| (Filter::Driver, Key::Driver(kind))));
    named.extend(request.zone.map(|id| (Filter::Zone, Key::Zone(id))));
    named.push((Filter::Ready, Key::TakesServers));
    let architecture = request.architecture.clone();
    named.extend(architecture.map(|name| (Filter::Architecture, Key::Architecture(name))));
    let hypervisor = request.hypervisor.clone();
    named.extend(hypervisor.map(|name| (Filter::Hypervisor, Key::Hypervisor(name))));
    named.extend(request.networks.iter().map(|id| (Filter::Network, Key::Network(*id))));
    let required = request.tags.require.iter();
    named.extend(required.map(|tag| (Filter::Tags, Key::Tag(tag.clone()))));
    named
}

/// Hosts with a member of the group, those of this decision included.
fn members<'a>(query: &Query<'a>, group: &str) -> Cow<'a, Bitmap> {
    let mut set = Cow::Borrowed(query.snapshot.marked(&Key::Group(group.to_owned())));
    for row in query.draft.servers.keys() {
        set.to_mut().insert(*row);
    }
    set
}
