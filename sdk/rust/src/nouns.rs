//! The kinds of things the region has, and their named actions. Everything else about them is in [`crate::Noun`].

use reqwest::Method;
use serde_json::{Value, json};
use types::{
    TaskId,
    api::{Accepted, account, disk, event, flavor, host, keypair, network, ops, place, quota, server, snapshot, task},
};

use crate::{Client, Creatable, Deletable, Noun, Resource, Result, Service, Updatable, call::segment};

/// Writes the trait impls of a marker type: its path and view, then what it can do.
macro_rules! resource {
    ($name:ident, $path:literal, $view:ty $(, create $create:ty => $made:ty)? $(, update $update:ty)?) => {
        impl Resource for $name {
            type View = $view;
            const PATH: &str = $path;
        }
        $(impl Creatable for $name {
            type Create = $create;
            type Made = $made;
        })?
        $(impl Updatable for $name {
            type Update = $update;
        })?
    };
}

/// Anything, as JSON: for programs that pass objects on as they are.
pub struct Any;
pub struct Server;
pub struct Disk;
pub struct Snapshot;
pub struct Network;
pub struct NetworkAddress;
pub struct Flavor;
pub struct Keypair;
pub struct Host;
pub struct Storage;
pub struct Zone;
pub struct Region;
pub struct CloudAccount;
pub struct Driver;
pub struct Task;
pub struct Event;
pub struct Quota;

resource!(Any, "", Value, create Value => Value, update Value);
resource!(Server, "servers", server::View, create server::Create => server::Created, update server::Update);
resource!(Disk, "disks", disk::View, create disk::Create => Accepted<disk::View>, update disk::Update);
resource!(Snapshot, "snapshots", snapshot::View, create snapshot::Create => Accepted<snapshot::View>, update snapshot::Update);
resource!(Network, "networks", network::View, create network::Create => Accepted<network::View>, update network::Update);
resource!(NetworkAddress, "addresses", network::Address);
resource!(Flavor, "flavors", flavor::View, create flavor::Create => flavor::View, update flavor::Update);
resource!(Keypair, "keypairs", keypair::View, create keypair::Create => keypair::View);
resource!(Host, "hosts", host::View, update host::Update);
resource!(Storage, "storages", host::Storage);
resource!(Zone, "zones", place::Zone, create place::CreateZone => place::Zone);
resource!(Region, "regions", place::Region);
resource!(CloudAccount, "cloud-accounts", account::View, create account::Create => Accepted<account::View>, update account::Update);
resource!(Driver, "drivers", account::Driver);
resource!(Task, "tasks", task::View);
resource!(Event, "events", event::View);
resource!(Quota, "quotas", quota::View);

impl Deletable for Any {}
impl Deletable for Server {}
impl Deletable for Disk {}
impl Deletable for Snapshot {}
impl Deletable for Network {}
impl Deletable for Flavor {}
impl Deletable for Keypair {}
impl Deletable for Host {}
impl Deletable for Zone {}
impl Deletable for CloudAccount {}

impl Client {
    /// Things of any kind by the path of their collection, as JSON.
    pub fn any(&self, path: &'static str) -> Noun<Any> {
        self.noun_at(path)
    }

    pub fn servers(&self) -> Noun<Server> {
        self.noun()
    }

    pub fn disks(&self) -> Noun<Disk> {
        self.noun()
    }

    pub fn snapshots(&self) -> Noun<Snapshot> {
        self.noun()
    }

    pub fn networks(&self) -> Noun<Network> {
        self.noun()
    }

    pub fn flavors(&self) -> Noun<Flavor> {
        self.noun()
    }

    pub fn keypairs(&self) -> Noun<Keypair> {
        self.noun()
    }

    pub fn hosts(&self) -> Noun<Host> {
        self.noun()
    }

    pub fn cloud_accounts(&self) -> Noun<CloudAccount> {
        self.noun()
    }

    pub fn tasks(&self) -> Noun<Task> {
        self.noun()
    }

    /// A token that one host may join with, once.
    pub async fn join_token(&self, wanted: &host::NewJoinToken) -> Result<host::JoinToken> {
        let call = self.call(Method::POST, Service::Region, "join-tokens");
        call.keyed().json(wanted).receive().await
    }
}

impl Noun<Server> {
    /// Where the servers would go, or why they cannot.
    pub async fn plan(&self, wanted: &server::Create) -> Result<server::Plan> {
        self.rehearse(wanted).await
    }

    pub async fn start(&self, key: &str) -> Result<Accepted<server::View>> {
        self.act(key, "start", &json!({})).await
    }

    pub async fn stop(&self, key: &str, how: &server::Stop) -> Result<Accepted<server::View>> {
        self.act(key, "stop", how).await
    }

    pub async fn reboot(&self, key: &str) -> Result<Accepted<server::View>> {
        self.act(key, "reboot", &json!({})).await
    }

    pub async fn resize(&self, key: &str, to: &server::Resize) -> Result<Accepted<server::View>> {
        self.act(key, "resize", to).await
    }

    pub async fn rebuild(&self, key: &str, from: &server::Rebuild) -> Result<Accepted<server::View>> {
        self.act(key, "rebuild", from).await
    }
}

impl Noun<Disk> {
    pub async fn attach(&self, key: &str, to: &disk::Attach) -> Result<Accepted<disk::View>> {
        self.act(key, "attach", to).await
    }

    pub async fn detach(&self, key: &str) -> Result<Accepted<disk::View>> {
        self.act(key, "detach", &json!({})).await
    }

    pub async fn resize(&self, key: &str, to: &disk::Resize) -> Result<Accepted<disk::View>> {
        self.act(key, "resize", to).await
    }
}

impl Noun<Snapshot> {
    /// Puts the disk back to how it was.
    pub async fn revert(&self, key: &str) -> Result<Accepted<snapshot::View>> {
        self.act(key, "revert", &json!({})).await
    }
}

impl Noun<Network> {
    pub fn addresses(&self, key: &str) -> Noun<NetworkAddress> {
        self.below(key, "addresses")
    }
}

impl Noun<CloudAccount> {
    pub async fn sync(&self, key: &str) -> Result<Accepted<account::View>> {
        self.act(key, "sync", &json!({})).await
    }
}

impl Noun<Host> {
    pub async fn enable(&self, key: &str) -> Result<host::View> {
        self.act(key, "enable", &json!({})).await
    }

    pub async fn disable(&self, key: &str) -> Result<host::View> {
        self.act(key, "disable", &json!({})).await
    }

    pub async fn drain(&self, key: &str) -> Result<host::View> {
        self.act(key, "drain", &json!({})).await
    }
}

impl Noun<Task> {
    /// Asks a task to stop and undo what it did.
    pub async fn cancel(&self, id: TaskId) -> Result<task::View> {
        self.act(&id.to_string(), "cancel", &json!({})).await
    }
}

impl Client {
    /// Queues, what is paused, workers and reconcilers; for operators.
    pub async fn ops(&self) -> Result<ops::View> {
        self.call(Method::GET, Service::Region, "ops").receive().await
    }

    /// No worker takes new tasks of this kind (`all`: of any) until it is resumed.
    pub async fn pause(&self, queue: &ops::Pause) -> Result<ops::View> {
        let call = self.call(Method::POST, Service::Region, "ops/pause");
        call.repeatable().json(queue).receive().await
    }

    pub async fn resume(&self, queue: &ops::Pause) -> Result<ops::View> {
        let call = self.call(Method::POST, Service::Region, "ops/resume");
        call.json(queue).receive().await
    }

    /// The end of what a server printed on its console.
    pub async fn console_log(&self, server: &str, bytes: u64) -> Result<server::ConsoleLog> {
        let path = format!("servers/{}/console-log", segment(server));
        let call = self.call(Method::GET, Service::Region, path);
        call.query("bytes", bytes.to_string()).receive().await
    }
}
