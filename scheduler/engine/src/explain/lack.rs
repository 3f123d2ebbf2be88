//! What one host lacks for one filter: how much, and in words.

use types::StorageId;

use crate::{
    Filter, Host, Lack, Rule,
    bitmap::Row,
    disk,
    host::has_tag,
    plan::{Round, amount},
    query::Query,
    snapshot::bytes,
};

/// A constraint that is not a number counts like a resource that is missing altogether.
const ALL: i64 = 1000;

/// Thousandths of what was asked for that are missing.
pub fn shortage(query: &Query, filter: Filter, row: Row) -> i64 {
    match filter {
        Filter::Cpu => missing(query.vcpus(), query.free_vcpus(row)),
        Filter::Memory => missing(query.memory(), query.free_memory(row)),
        Filter::Storage => match storage(query, row) {
            Short::NoStorage(_) => ALL,
            Short::Space { needs, has, .. } => missing(needs, has).max(1),
        },
        _ => ALL,
    }
}

fn missing(needs: i64, has: i64) -> i64 {
    let gap = i128::from(needs) - i128::from(has.max(0));
    (gap.max(0) * i128::from(ALL) / i128::from(needs.max(1))) as i64
}

pub fn lack(query: &Query, filter: Filter, row: Row, host: &Host) -> Lack {
    let request = query.request;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (needs, has) = match filter {
        Filter::Host => ("the host asked for".to_owned(), "another name".to_owned()),
        Filter::Account => (shown(request.account), host.account.to_string()),
        Filter::Driver => (text(&request.driver), host.driver.clone()),
        Filter::Zone => (
            shown(request.zone),
            host.zone.map_or("no zone".to_owned(), |zone| zone.to_string()),
        ),
        Filter::Ready if host.enabled => ("ready".to_owned(), host.state.to_string()),
        Filter::Ready => ("enabled".to_owned(), "disabled".to_owned()),
        Filter::Architecture => (text(&request.architecture), host.architecture.clone()),
        Filter::Hypervisor => (text(&request.hypervisor), host.hypervisor.clone()),
        Filter::Network => network(query, host),
        Filter::Tags => tags(query, host),
        Filter::Affinity => affinity(query, row),
        Filter::Cpu => cpu(query, row),
        Filter::Memory => space(query.memory(), query.free_memory(row)),
        Filter::Storage => short(storage(query, row)),
    };
    Lack { filter, needs, has }
}

fn cpu(query: &Query, row: Row) -> (String, String) {
    let plural = if query.vcpus() == 1 { "" } else { "s" };
    let has = match query.free_vcpus(row) {
        free @ 0.. => format!("{free} free"),
        over => format!("{} too many in use", -over),
    };
    (format!("{} vcpu{plural}", query.vcpus()), has)
}

fn short(short: Short) -> (String, String) {
    let (needs, has, on) = match short {
        Short::NoStorage(kind) => return (kind, "none".to_owned()),
        Short::Space { needs, has, on } => (needs, has, on),
    };
    let (needs, has) = space(needs, has);
    match on {
        Some(name) => (needs, format!("{has} on {name}")),
        None => (format!("{needs} for all disks"), has),
    }
}

fn space(needs: i64, has: i64) -> (String, String) {
    let has = match has {
        0.. => format!("{} free", amount(has, Round::Down)),
        over => format!("{} too much in use", amount(over.saturating_neg(), Round::Up)),
    };
    (amount(needs, Round::Up), has)
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn network(query: &Query, host: &Host) -> (String, String) {
    let missing = query.request.networks.difference(&host.networks);
    let names: Vec<String> = missing.map(|id| id.to_string()).collect();
    (names.join(" and "), "no way there".to_owned())
}

fn tags(query: &Query, host: &Host) -> (String, String) {
    let wanted = &query.request.tags;
    match wanted.require.iter().find(|tag| !has_tag(&host.tags, tag)) {
        Some(tag) => (format!("tag `{tag}`"), "no such tag".to_owned()),
        None => {
            let unwanted = wanted.exclude.iter().find(|tag| has_tag(&host.tags, tag));
            (format!("no tag `{}`", shown(unwanted)), "it".to_owned())
        }
    }
}

fn affinity(query: &Query, row: Row) -> (String, String) {
    for group in &query.request.groups {
        let members = query.members(row, &group.name);
        match group.rule {
            Rule::Together if members == 0 && !query.is_unborn(&group.name) => {
                return (format!("a member of group `{}`", group.name), "none".to_owned());
            }
            Rule::Apart if members > 0 => {
                return (format!("no member of group `{}`", group.name), members.to_string());
            }
            _ => {}
        }
    }
    Default::default()
}

/// In which way the disks do not fit.
enum Short {
    /// No storage of the kind that is described.
    NoStorage(String),
    /// Room on the best storage for one disk or, when each would fit alone, on all storages for all disks.
    Space { needs: i64, has: i64, on: Option<String> },
}

fn storage(query: &Query, row: Row) -> Short {
    let (snapshot, disks) = (query.snapshot, &query.request.disks);
    for wanted in disks {
        let admitting = snapshot.pools(row).filter(|(_, storage)| disk::admits(storage, wanted));
        let Some((pool, best)) = admitting.max_by_key(|(pool, storage)| (query.free_space(*pool), storage.id)) else {
            return Short::NoStorage(kind(wanted));
        };
        if bytes(wanted.size) > query.free_space(pool) {
            return Short::Space {
                needs: bytes(wanted.size),
                has: query.free_space(pool),
                on: Some(best.name.clone()),
            };
        }
    }
    let is_useful = |storage: &crate::Storage| disks.iter().any(|wanted| disk::admits(storage, wanted));
    let useful = snapshot.pools(row).filter(|(_, storage)| is_useful(storage));
    Short::Space {
        needs: disks
            .iter()
            .fold(0, |sum: i64, wanted| sum.saturating_add(bytes(wanted.size))),
        has: useful.fold(0, |sum: i64, (pool, _)| {
            sum.saturating_add(query.free_space(pool).max(0))
        }),
        on: None,
    }
}

fn kind(wanted: &crate::Disk) -> String {
    let mut text = "a storage".to_owned();
    if let Some(class) = &wanted.class {
        text.push_str(&format!(" of class {class}"));
    }
    if let Some(id) = &wanted.storage {
        text.push_str(&format!(" with id {}", StorageId::to_string(id)));
    }
    for tag in &wanted.tags {
        text.push_str(&format!(" with tag `{tag}`"));
    }
    text
}
