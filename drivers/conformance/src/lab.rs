//! A place to test one rule in: a connection, names and tokens that nobody else uses, and a broom.

mod make;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use contract::{
    Call, Cloud, Compute, Disks, Error, ExternalRef, Images, Kind, Networks, Op, Progress, Result, Snapshots, Token,
    site::Place,
};
use serde_json::Value;

use crate::Subject;

/// How a rule was broken.
#[derive(Debug)]
pub struct Broken(pub String);

pub type Verdict<T = ()> = Result<T, Broken>;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error where none was due.
impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self(format!("{:?}: {}", error.kind, error.chain()))
    }
}

/// Ends the rule with a sentence unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            return Err($crate::Broken(format!($($message)*)));
        }
    };
}

/// The call must have failed in this way.
pub fn refused<T: fmt::Debug>(answer: Result<T>, kind: Kind, what: &str) -> Verdict<Error> {
    match answer {
        Err(error) if error.kind == kind => Ok(error),
        Err(error) => Err(Broken(format!(
            "{what}: {kind:?} was due, not {:?}: {}",
            error.kind,
            error.chain()
        ))),
        Ok(value) => Err(Broken(format!("{what}: {kind:?} was due, not {value:?}"))),
    }
}

pub struct Lab {
    pub subject: Subject,
    pub cloud: Arc<dyn Cloud>,
    pub place: Place,
    /// Part of every name and token.
    run: String,
    count: AtomicU32,
    made: Mutex<Vec<Made>>,
}

enum Made {
    Machine(ExternalRef),
    Volume(ExternalRef),
    Network(ExternalRef),
    Image(ExternalRef),
}

impl Lab {
    pub async fn open(subject: &Subject) -> Verdict<Self> {
        let call = Call::new("conformance", subject.limit);
        let cloud = subject.driver.connect(&call, &subject.site).await?;
        let place = match &subject.place {
            Some(place) => place.clone(),
            None => first_host(&*cloud, &call).await?,
        };
        Ok(Self {
            subject: subject.clone(),
            cloud,
            place,
            run: format!("c{:08x}", rand::random::<u32>()),
            count: AtomicU32::new(0),
            made: Mutex::default(),
        })
    }

    pub fn call(&self) -> Call {
        Call::new(self.run.clone(), self.subject.limit)
    }

    /// Different each time.
    pub fn name(&self) -> String {
        format!("{}-{}", self.run, self.count.fetch_add(1, Ordering::Relaxed))
    }

    pub fn token(&self) -> Token {
        Token::new(self.name())
    }

    /// A reference that this cloud never gave.
    pub fn nowhere(&self) -> ExternalRef {
        ExternalRef::new(self.name())
    }

    pub fn compute(&self) -> Verdict<Option<&dyn Compute>> {
        agree(
            "compute",
            self.cloud.compute(),
            self.cloud.capabilities().compute.is_some(),
        )
    }
    pub fn disks(&self) -> Verdict<Option<&dyn Disks>> {
        agree("disks", self.cloud.disks(), self.cloud.capabilities().disks.is_some())
    }
    pub fn networks(&self) -> Verdict<Option<&dyn Networks>> {
        agree(
            "networks",
            self.cloud.networks(),
            self.cloud.capabilities().networks.is_some(),
        )
    }
    pub fn images(&self) -> Verdict<Option<&dyn Images>> {
        agree(
            "images",
            self.cloud.images(),
            self.cloud.capabilities().images.is_some(),
        )
    }
    pub fn snapshots(&self) -> Verdict<Option<&dyn Snapshots>> {
        agree(
            "snapshots",
            self.cloud.snapshots(),
            self.cloud.capabilities().snapshots.is_some(),
        )
    }

    /// Waits for a mutation that answers a reference.
    pub async fn id(&self, op: Result<Op<ExternalRef>>) -> Result<ExternalRef> {
        match op? {
            Op::Done(id) => Ok(id),
            Op::Pending { operation, after } => serde_json::from_value(self.wait(&operation, after).await?)
                .map_err(|e| Error::broken("the operation did not end with a reference").because(e)),
        }
    }

    /// Waits for a mutation that answers nothing.
    pub async fn done(&self, op: Result<Op<()>>) -> Result<()> {
        match op? {
            Op::Done(()) => Ok(()),
            Op::Pending { operation, after } => match self.wait(&operation, after).await? {
                Value::Null => Ok(()),
                other => Err(Error::broken(format!(
                    "the operation ended with {other} instead of nothing"
                ))),
            },
        }
    }

    /// Polls an operation to its end.
    pub async fn wait(&self, operation: &str, mut after: Duration) -> Result<Value> {
        let until = Instant::now() + self.subject.patience;
        loop {
            tokio::time::sleep(after).await;
            match self.cloud.poll(&self.call(), operation).await? {
                Progress::Done(value) => return Ok(value),
                Progress::Failed(error) => return Err(error),
                Progress::Running { after: next, .. } => after = next.max(Duration::from_millis(10)),
            }
            if Instant::now() > until {
                return Err(Error::new(Kind::Timeout, format!("operation {operation} does not end")));
            }
        }
    }

    /// Looks until `look` answers something.
    pub async fn until<T, F>(&self, what: &str, mut look: impl FnMut() -> F) -> Verdict<T>
    where
        F: Future<Output = Verdict<Option<T>>>,
    {
        let until = Instant::now() + self.subject.patience;
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            ensure!(Instant::now() < until, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn keep_machine(&self, id: ExternalRef) -> ExternalRef {
        self.keep(Made::Machine(id.clone()));
        id
    }
    pub fn keep_volume(&self, id: ExternalRef) -> ExternalRef {
        self.keep(Made::Volume(id.clone()));
        id
    }
    pub fn keep_network(&self, id: ExternalRef) -> ExternalRef {
        self.keep(Made::Network(id.clone()));
        id
    }

    fn keep(&self, made: Made) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(made);
    }

    /// Deletes what was made, last things first; all of it is tried.
    pub async fn clean(&self) -> Verdict {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let mut verdict = Ok(());
        for thing in made.into_iter().rev() {
            verdict = verdict.and(self.delete(thing).await);
        }
        verdict.map_err(|error| Broken(format!("cleaning up failed: {}", error.chain())))
    }

    async fn delete(&self, thing: Made) -> Result<()> {
        let (cloud, call) = (&self.cloud, self.call());
        match thing {
            Made::Machine(id) => match cloud.compute() {
                Some(family) => self.done(family.delete(&call, &id).await).await,
                None => Ok(()),
            },
            Made::Volume(id) => match cloud.disks() {
                Some(family) => self.done(family.delete(&call, &id).await).await,
                None => Ok(()),
            },
            Made::Network(id) => match cloud.networks() {
                Some(family) => self.done(family.delete(&call, &id).await).await,
                None => Ok(()),
            },
            Made::Image(id) => match cloud.images() {
                Some(family) => family.delete(&call, &id).await,
                None => Ok(()),
            },
        }
    }
}

/// A family that is absent must be absent from the capabilities too, and the other way round.
pub fn agree<T>(name: &str, family: Option<T>, capable: bool) -> Verdict<Option<T>> {
    ensure!(
        family.is_some() == capable,
        "family `{name}` is {}, its capability is {}",
        if family.is_some() { "there" } else { "absent" },
        if capable { "there" } else { "absent" }
    );
    Ok(family)
}

async fn first_host(cloud: &dyn Cloud, call: &Call) -> Verdict<Place> {
    let choose = cloud.capabilities().compute.as_ref().is_some_and(|can| can.choose_host);
    let Some(hosts) = cloud.hosts().filter(|_| choose) else {
        return Ok(Place::default());
    };
    let page = hosts.list(call, None).await?;
    let host = page.items.into_iter().find(|host| host.reachable);
    let host = host.ok_or_else(|| Broken("no host of the subject answers".to_owned()))?;
    Ok(Place {
        host: Some(host.id),
        ..Place::default()
    })
}
