//! The clients: each asks for one server, and lets it live, deletes it, or cancels its making. Every answer may get
//! lost; they ask again until they have one.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use isobar_sdk::{self as sdk, Auth, Client, Error, Method, Options, Query, Service, api::server};
use tokio::{
    runtime::Runtime,
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use types::{Kind, TaskId, api, states};

use super::{Dice, Size};
use crate::kit::{Site, wait};

/// How long a client asks before it gives up: a failed run.
const LONGEST: Duration = Duration::from_secs(3600);
/// Requests at once. There are more servers in the making than requests under way.
const REQUESTS: usize = 32;
/// How often the list of servers is read, on behalf of all clients.
const LOOK: Duration = Duration::from_millis(500);

/// What a client wants in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Keep,
    Delete,
    Cancel,
}

/// How it went for one client.
pub struct Fate {
    pub name: String,
    pub wish: Wish,
    /// What it was refused: nobody should be refused anything.
    pub refused: Option<String>,
}

type Seen = HashMap<String, server::View>;

pub struct Load {
    runtime: Runtime,
    wishes: Vec<Wish>,
    done: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Fate>>,
}

impl Load {
    pub fn start(site: &Site, size: &Size) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let wishes: Vec<_> = (0..size.servers).map(|n| wish(&mut Dice::of(size.seed, n))).collect();
        let done = Arc::new(AtomicUsize::new(0));
        let client = connect(site);
        let seen = runtime.block_on(async { watch_servers(client.clone()) });
        let turns = Arc::new(Semaphore::new(REQUESTS));
        let start = |(n, wish): (usize, &Wish)| {
            let one = One {
                client: client.clone(),
                seen: seen.clone(),
                turns: turns.clone(),
                name: format!("chaos-{n}"),
            };
            let (wish, done) = (*wish, done.clone());
            runtime.spawn(async move {
                let refused = one.live(wish).await.err();
                done.fetch_add(1, Ordering::Relaxed);
                Fate {
                    name: one.name,
                    wish,
                    refused: refused.map(|e| format!("{:?} {}: {}", e.kind, e.code, e.chain())),
                }
            })
        };
        let clients = wishes.iter().enumerate().map(start).collect();
        Self {
            runtime,
            wishes,
            done,
            clients,
        }
    }

    /// How many clients have what they want.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    pub fn at_work(&self) -> bool {
        self.done() < self.clients.len()
    }

    /// How much the cloud has to do for all of them: a volume and a machine each, made, and half of them deleted.
    pub fn effects_wanted(&self) -> u32 {
        let of = |wish: &Wish| if *wish == Wish::Delete { 4 } else { 2 };
        self.wishes.iter().map(of).sum()
    }

    /// Waits for all of them.
    pub fn end(self, seconds: u64, mut show: impl FnMut()) -> Vec<Fate> {
        wait("all clients have what they want", seconds, || {
            show();
            (!self.at_work()).then_some(())
        });
        let all = futures::future::join_all(self.clients);
        self.runtime.block_on(all).into_iter().map(Result::unwrap).collect()
    }
}

fn wish(dice: &mut Dice) -> Wish {
    match dice.below(8) {
        0 => Wish::Cancel,
        1..=4 => Wish::Delete,
        _ => Wish::Keep,
    }
}

fn connect(site: &Site) -> Client {
    let login = site.login();
    let auth = Auth::from_lookup(|name| {
        login
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    });
    let options = Options {
        timeout: Duration::from_secs(20),
        ..Options::default()
    };
    Client::with(auth.unwrap(), options)
}

/// The servers as they are listed, read again and again; a list that cannot be read changes nothing.
fn watch_servers(client: Client) -> watch::Receiver<Seen> {
    let (tell, seen) = watch::channel(Seen::new());
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(LOOK);
        while !tell.is_closed() {
            tick.tick().await;
            if let Ok(servers) = client.servers().list(Query::new()).all().await {
                tell.send_replace(servers.into_iter().map(|row| (row.name.clone(), row)).collect());
            }
        }
    });
    seen
}

/// One client and its server.
struct One {
    client: Client,
    seen: watch::Receiver<Seen>,
    turns: Arc<Semaphore>,
    name: String,
}

impl One {
    async fn live(&self, wish: Wish) -> sdk::Result<()> {
        let task = self.create().await?;
        match wish {
            Wish::Keep => self.until(|row| row.is_some_and(at_rest)).await,
            Wish::Delete => {
                self.until(|row| row.is_some_and(at_rest)).await?;
                self.delete().await?;
                self.until(|row| row.is_none()).await
            }
            Wish::Cancel => {
                self.until(|row| row.is_some_and(|row| row.host.is_some())).await?;
                self.cancel(task).await?;
                self.until(|row| row.is_some_and(at_rest)).await
            }
        }
    }

    /// With one key however often it is asked.
    async fn create(&self) -> sdk::Result<Option<TaskId>> {
        let wanted = server::Create {
            name: self.name.clone(),
            image: "tiny".to_owned(),
            flavor: "small".to_owned(),
            networks: vec!["wide".to_owned()],
            count: 1,
            ..server::Create::default()
        };
        let made: api::Items<api::Accepted<server::View>> = self
            .insist(|| {
                let call = self.client.call(Method::POST, Service::Region, "servers");
                let call = call.header("idempotency-key", &self.name).repeatable();
                call.json(&wanted).receive()
            })
            .await?;
        Ok(made.items[0].task)
    }

    async fn delete(&self) -> sdk::Result<()> {
        let servers = &self.client.servers();
        let gone = self.insist(|| servers.delete(&self.name)).await;
        match gone {
            // An earlier request whose answer was lost did it.
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            Err(error) if error.code == "busy" && error.details["kind"] == "server-delete" => Ok(()),
            done => done.map(drop),
        }
    }

    async fn cancel(&self, task: Option<TaskId>) -> sdk::Result<()> {
        let Some(task) = task else { return Ok(()) };
        let tasks = &self.client.tasks();
        let asked = self.insist(|| tasks.cancel(task)).await;
        match asked {
            // The server was made before it could be cancelled.
            Err(error) if error.code == "task_over" => Ok(()),
            done => done.map(drop),
        }
    }

    /// Asks, and again while the answer is that nobody can say now.
    async fn insist<T, F: Future<Output = sdk::Result<T>>>(&self, ask: impl Fn() -> F) -> sdk::Result<T> {
        let end = Instant::now() + LONGEST;
        loop {
            let turn = self.turns.acquire().await.expect("it is never closed");
            let answer = ask().await;
            drop(turn);
            match answer {
                Err(e) if Instant::now() < end && passes(e.kind) => {}
                done => return done,
            }
        }
    }

    /// Until the server is seen as wished.
    async fn until(&self, so: impl Fn(Option<&server::View>) -> bool) -> sdk::Result<()> {
        let mut seen = self.seen.clone();
        let level = seen.wait_for(|servers| so(servers.get(&self.name)));
        match tokio::time::timeout(LONGEST, level).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Error::new(
                Kind::Timeout,
                format!("server `{}` did not come to rest in {LONGEST:?}", self.name),
            )),
        }
    }
}

fn at_rest(row: &server::View) -> bool {
    row.task.is_none() && matches!(row.state, states::Server::Running | states::Server::Failed)
}

fn passes(kind: Kind) -> bool {
    matches!(kind, Kind::Unavailable | Kind::Timeout | Kind::Throttled)
}
