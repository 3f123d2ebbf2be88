//! A round over many resources, in which a slow or failing one delays no other.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
};

use futures::FutureExt;
use tokio::{pin, select, task::JoinSet, time::sleep};
use tracing::Instrument;
use types::{Error, Result};

use super::{Next, ReconcileCx, setback};
use crate::{engine::attempt::text_of, row::setback::Model};

/// One of many that a reconciler looks at.
#[derive(Clone, Debug)]
pub struct Resource<T> {
    /// `noun/id`.
    pub id: String,
    /// What people call it, with its noun.
    pub name: String,
    /// Moves when something about it changed that may make the next look succeed.
    pub generation: i64,
    pub value: T,
}

/// Looks under way. Each is a task of its own: one that waits inside of a transaction must not be kept from ending it
/// by this round's own reading.
struct Looks<'a, K> {
    cx: &'a ReconcileCx,
    look: K,
    busy: HashSet<String>,
    running: JoinSet<(String, Next)>,
}

pub(super) async fn all<T, L, F>(
    cx: &ReconcileCx,
    list: impl Fn(ReconcileCx) -> L,
    look: impl Fn(ReconcileCx, T) -> F,
) -> Result<Next>
where
    T: Clone + Send + Sync + 'static,
    L: Future<Output = Result<Vec<Resource<T>>>>,
    F: Future<Output = Result<Next>> + Send + 'static,
{
    let mut looks = Looks {
        cx,
        look,
        busy: HashSet::new(),
        running: JoinSet::new(),
    };
    loop {
        let there = list(cx.clone()).await?;
        let there: HashMap<_, _> = there.into_iter().map(|one| (one.id.clone(), one)).collect();
        let mut setbacks = setback::all(cx).await?;
        let gone = setbacks.keys().filter(|id| !there.contains_key(*id));
        setback::forget(cx, gone.cloned().collect()).await?;
        for resource in there.values() {
            let before = setbacks.remove(&resource.id);
            let held = before.as_ref().is_some_and(|row| setback::holds(row, resource));
            if !held && !looks.busy.contains(&resource.id) {
                looks.begin(resource.clone(), before);
            }
        }
        if looks.until_next(&there).await {
            return Ok(Next::Usual);
        }
    }
}

impl<K> Looks<'_, K> {
    fn begin<T, F>(&mut self, resource: Resource<T>, before: Option<Model>)
    where
        K: Fn(ReconcileCx, T) -> F,
        T: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Next>> + Send + 'static,
    {
        let look = (self.look)(self.cx.clone(), resource.value.clone());
        self.busy.insert(resource.id.clone());
        let span = tracing::info_span!("look", resource = resource.id);
        self.running
            .spawn(one(self.cx.clone(), resource, before, look).instrument(span));
    }

    /// Until it is time to list the resources again; true when there is nothing left to wait for.
    async fn until_next<T, F>(&mut self, there: &HashMap<String, Resource<T>>) -> bool
    where
        K: Fn(ReconcileCx, T) -> F,
        T: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Next>> + Send + 'static,
    {
        let tick = sleep(self.cx.every);
        pin!(tick);
        loop {
            let (id, next) = select! {
                () = &mut tick => return false,
                ended = self.running.join_next() => match ended {
                    None => return true,
                    Some(Ok(ended)) => ended,
                    // Only when the runtime shuts down: panics are caught.
                    Some(Err(_)) => continue,
                },
            };
            self.busy.remove(&id);
            if let (Next::Now, Some(resource)) = (next, there.get(&id)) {
                self.begin(resource.clone(), None);
            }
        }
    }
}

/// One look, and what it means for the next.
async fn one<T>(
    cx: ReconcileCx,
    resource: Resource<T>,
    before: Option<Model>,
    look: impl Future<Output = Result<Next>>,
) -> (String, Next) {
    let looked = AssertUnwindSafe(look).catch_unwind().await;
    let looked = looked.unwrap_or_else(|panic| Err(Error::broken(format!("it panicked: {}", text_of(&*panic)))));
    let (next, kept) = match looked {
        Ok(next) if before.is_none() => (next, Ok(())),
        Ok(next) => (next, setback::forget(&cx, vec![resource.id.clone()]).await),
        Err(error) => {
            // Once: until it answers again, the operator's page has it.
            if before.is_none() {
                tracing::warn!(reconciler = cx.name, "{}: {}", resource.name, error.chain());
            }
            (Next::Usual, setback::failed(&cx, &resource, before, error).await)
        }
    };
    if let Err(error) = kept {
        tracing::warn!(
            reconciler = cx.name,
            error = error.chain(),
            "how it went could not be written down"
        );
    }
    (resource.id, next)
}
