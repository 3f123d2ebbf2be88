//! The small language of `tests/cases`: one command a line, `word key=value ...`, names instead of ids.
//!
//! `storage NAME..`, `host NAME..` (`h1..h3` makes three), `remove NAME`, `charge HOST vcpus= memory=`,
//! `place`, `claim` (place and charge), `explain`, `forecast`. Amounts read `[used/]total[-reserved][xovercommit]`.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use engine::{
    Amount, Demand, Disk, Explanation, Group, Host, Plan, Request, Rule, Snapshot, Storage, Strategy, explain,
    forecast, place,
};
use types::{AccountId, HostId, NetworkId, Size, StorageId, ZoneId, states};
use uuid::Uuid;

#[derive(Default)]
pub struct Script {
    snapshot: Snapshot,
    /// Text of every id that was made, to print its name again.
    names: BTreeMap<String, String>,
}

type Answer = Result<Vec<String>, String>;
type Words<'a> = &'a [(&'a str, &'a str)];

impl Script {
    pub fn run(&mut self, line: &str) -> Answer {
        let line = line.split('#').next().unwrap_or_default();
        let pairs: Vec<_> = line
            .split_whitespace()
            .map(|word| word.split_once('=').unwrap_or((word, "")))
            .collect();
        let lines = match pairs.as_slice() {
            [] => Ok(Vec::new()),
            [("storage", _), (name, _), words @ ..] => self.storage(name, words),
            [("host", _), (names, _), words @ ..] => expand(names)
                .iter()
                .try_for_each(|name| self.host(name, words))
                .map(|()| Vec::new()),
            [("remove", _), (name, _)] => self.remove(name),
            [("charge", _), (name, _), words @ ..] => self.charge(name, words),
            [("place", _), words @ ..] => {
                let request = self.request(words)?;
                Ok(told(&place(&self.snapshot, &request)))
            }
            [("claim", _), words @ ..] => self.claim(words),
            [("explain", _), words @ ..] => {
                let request = self.request(words)?;
                Ok(reasons(&explain(&self.snapshot, &request)))
            }
            [("forecast", _), words @ ..] => self.forecast(words),
            [(word, _), ..] => Err(format!("`{word}` is not a command with such words")),
        }?;
        let named = |line: &String| {
            self.names
                .iter()
                .fold(line.clone(), |line, (id, name)| line.replace(id, name))
        };
        Ok(lines.iter().map(named).collect())
    }

    fn host(&mut self, name: &str, words: Words) -> Result<(), String> {
        let id = self.id(name, HostId::from_uuid);
        let mut host = Host {
            id,
            name: name.to_owned(),
            zone: None,
            account: self.id("site", AccountId::from_uuid),
            driver: "kvm".to_owned(),
            hypervisor: "kvm".to_owned(),
            architecture: "x86_64".to_owned(),
            state: states::Host::Ready,
            enabled: true,
            tags: BTreeMap::new(),
            vcpus: Amount::of(8),
            memory: Amount::of(16 << 30),
            storages: Default::default(),
            networks: Default::default(),
            images: Default::default(),
            groups: BTreeMap::new(),
        };
        for (key, value) in words {
            match *key {
                "zone" => host.zone = Some(self.id(value, ZoneId::from_uuid)),
                "account" => host.account = self.id(value, AccountId::from_uuid),
                "driver" => host.driver = value.to_string(),
                "hypervisor" => host.hypervisor = value.to_string(),
                "architecture" => host.architecture = value.to_string(),
                "state" => host.state = value.parse().map_err(text)?,
                "disabled" => host.enabled = false,
                "tags" => host.tags = tags(value),
                "vcpus" => host.vcpus = amount(value)?,
                "memory" => host.memory = amount(value)?,
                "storages" => host.storages = self.ids(value, StorageId::from_uuid).into_iter().collect(),
                "networks" => host.networks = self.ids(value, NetworkId::from_uuid).into_iter().collect(),
                "images" => host.images = list(value).collect(),
                "groups" => host.groups = list(value).map(|group| (group, 1)).collect(),
                _ => return Err(format!("a host has no `{key}`")),
            }
        }
        self.snapshot.upsert(host);
        Ok(())
    }

    fn storage(&mut self, name: &str, words: Words) -> Answer {
        let mut storage = Storage {
            id: self.id(name, StorageId::from_uuid),
            name: name.to_owned(),
            class: "local".to_owned(),
            tags: BTreeMap::new(),
            enabled: true,
            space: Amount::of(0),
        };
        for (key, value) in words {
            match *key {
                "class" => storage.class = value.to_string(),
                "tags" => storage.tags = tags(value),
                "space" => storage.space = amount(value)?,
                "disabled" => storage.enabled = false,
                _ => return Err(format!("a storage has no `{key}`")),
            }
        }
        self.snapshot.upsert_storage(storage);
        Ok(Vec::new())
    }

    fn remove(&mut self, name: &str) -> Answer {
        let id = self.id(name, HostId::from_uuid);
        self.snapshot.remove(id).ok_or("there is no such host")?;
        Ok(Vec::new())
    }

    fn charge(&mut self, name: &str, words: Words) -> Answer {
        let request = self.request(words)?;
        let demand = Demand {
            vcpus: request.vcpus,
            memory: request.memory,
            ..Demand::default()
        };
        let id = self.id(name, HostId::from_uuid);
        self.snapshot.charge(id, &demand).map_err(text)?;
        Ok(Vec::new())
    }

    fn claim(&mut self, words: Words) -> Answer {
        let request = self.request(words)?;
        let plan = place(&self.snapshot, &request);
        if let Plan::Placed(placements) = &plan {
            for placement in placements {
                self.snapshot
                    .charge(placement.host, &request.demand(placement))
                    .map_err(text)?;
            }
        }
        Ok(told(&plan))
    }

    fn forecast(&mut self, words: Words) -> Answer {
        let request = self.request(words)?;
        let forecast = forecast(&self.snapshot, &request);
        let rooms: Vec<_> = forecast
            .hosts
            .iter()
            .map(|room| format!("{} {}", room.name, room.more))
            .collect();
        Ok(vec![format!("{} more: {}", forecast.total, rooms.join(", "))])
    }

    fn request(&mut self, words: Words) -> Result<Request, String> {
        let mut request = Request::default();
        for (key, value) in words {
            let selectors = || list(value).collect::<Vec<_>>();
            let mut grouped = |rule| request.groups.extend(list(value).map(|name| Group { name, rule }));
            match *key {
                "vcpus" => request.vcpus = value.parse().map_err(text)?,
                "memory" => request.memory = value.parse().map_err(text)?,
                "disk" => request.disks.push(self.disk(value)?),
                "networks" => request.networks = self.ids(value, NetworkId::from_uuid).into_iter().collect(),
                "host" => request.host = Some(self.id(value, HostId::from_uuid)),
                "account" => request.account = Some(self.id(value, AccountId::from_uuid)),
                "driver" => request.driver = Some(value.to_string()),
                "zone" => request.zone = Some(self.id(value, ZoneId::from_uuid)),
                "architecture" => request.architecture = Some(value.to_string()),
                "hypervisor" => request.hypervisor = Some(value.to_string()),
                "require" => request.tags.require = selectors(),
                "prefer" => request.tags.prefer = selectors(),
                "avoid" => request.tags.avoid = selectors(),
                "exclude" => request.tags.exclude = selectors(),
                "together" => grouped(Rule::Together),
                "apart" => grouped(Rule::Apart),
                "prefer-together" => grouped(Rule::PreferTogether),
                "prefer-apart" => grouped(Rule::PreferApart),
                "image" => request.image = Some(value.to_string()),
                "pack" => request.strategy = Strategy::Pack,
                "spread" => request.strategy = Strategy::Spread,
                "last-host" => request.last_host = Some(self.id(value, HostId::from_uuid)),
                "count" => request.count = value.parse().map_err(text)?,
                _ => return Err(format!("a request has no `{key}`")),
            }
        }
        Ok(request)
    }

    /// `20G`, `20G:class`, `20G@storage`.
    fn disk(&mut self, word: &str) -> Result<Disk, String> {
        let (word, storage) = word
            .split_once('@')
            .map_or((word, None), |(word, name)| (word, Some(name)));
        let (size, class) = word
            .split_once(':')
            .map_or((word, None), |(size, class)| (size, Some(class)));
        Ok(Disk {
            size: size.parse().map_err(text)?,
            class: class.map(str::to_owned),
            storage: storage.map(|name| self.id(name, StorageId::from_uuid)),
            tags: Vec::new(),
        })
    }

    fn ids<T: Display + Ord>(&mut self, words: &str, make: fn(Uuid) -> T) -> Vec<T> {
        list(words).map(|name| self.id(&name, make)).collect()
    }

    /// A name's own bytes are its id, so that ids sort as names do.
    fn id<T: Display>(&mut self, name: &str, make: fn(Uuid) -> T) -> T {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        let id = Uuid::from_bytes(bytes);
        self.names.insert(make(id).to_string(), name.to_owned());
        make(id)
    }
}

fn told(plan: &Plan) -> Vec<String> {
    let placements = match plan {
        Plan::Placed(placements) => placements,
        Plan::NoFit(explanation) => return reasons(explanation),
    };
    let line = |placement: &engine::Placement| {
        let storages: Vec<_> = placement.storages.iter().map(|id| format!(" {id}")).collect();
        let word = |points: &engine::Points| {
            let term = serde_json::to_value(points.term).unwrap();
            format!("{} {}", term.as_str().unwrap().replace('_', " "), points.points)
        };
        let why: Vec<_> = placement.why.iter().map(word).collect();
        let why = if why.is_empty() {
            "nothing".to_owned()
        } else {
            why.join(" + ")
        };
        format!("{}{} ({} = {why})", placement.name, storages.concat(), placement.score)
    };
    placements.iter().map(line).collect()
}

fn reasons(explanation: &Explanation) -> Vec<String> {
    let misses = explanation.nearest.iter().map(|miss| format!("- {miss}"));
    [explanation.to_string()].into_iter().chain(misses).collect()
}

fn expand(names: &str) -> Vec<String> {
    let Some((first, last)) = names.split_once("..") else {
        return vec![names.to_owned()];
    };
    let stem = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = |name: &str| name[stem.len()..].parse::<u32>().unwrap();
    let width = first.len() - stem.len();
    (number(first)..=number(last))
        .map(|n| format!("{stem}{n:0width$}"))
        .collect()
}

fn amount(word: &str) -> Result<Amount, String> {
    let number = |word: &str| word.parse::<Size>().map(|size| size.as_bytes() as i64).map_err(text);
    let (word, ratio) = word.split_once('x').unwrap_or((word, "1"));
    let (used, word) = word.split_once('/').unwrap_or(("0", word));
    let (total, reserved) = word.split_once('-').unwrap_or((word, "0"));
    Ok(Amount {
        total: number(total)?,
        reserved: number(reserved)?,
        used: number(used)?,
        ratio: (f64::from_str(ratio).map_err(text)? * 1000.0) as u32,
    })
}

fn tags(words: &str) -> BTreeMap<String, String> {
    let pair = |word: String| match word.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (word, String::new()),
    };
    list(words).map(pair).collect()
}

fn list(words: &str) -> impl Iterator<Item = String> {
    words.split(',').filter(|word| !word.is_empty()).map(str::to_owned)
}

fn text(error: impl Display) -> String {
    error.to_string()
}
