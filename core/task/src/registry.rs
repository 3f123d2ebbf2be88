//! Which workflows this process can run, by name.

use std::{collections::BTreeMap, marker::PhantomData, time::Duration};

use auth::Cx;
use futures::future::BoxFuture;
use serde_json::Value;
use store::Tx;
use types::Result;

use crate::{Outcome, StepKind, TaskCx, Workflow, workflow::read};

/// The workflows of a service. Built once, at start.
#[derive(Default)]
pub struct Registry {
    by_name: BTreeMap<&'static str, Box<dyn AnyWorkflow>>,
}

impl Registry {
    pub fn new() -> Self {
        Self::default()
    }

    /// Panics when two workflows, or two steps of one workflow, have the same name.
    #[allow(clippy::should_implement_trait)]
    pub fn add<W: Workflow>(mut self) -> Self {
        let mut names: Vec<_> = W::steps().iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        assert!(
            names.windows(2).all(|pair| pair[0] != pair[1]),
            "{} lists two steps with one name",
            W::NAME
        );
        let before = self.by_name.insert(W::NAME, Box::new(Of::<W>(PhantomData, W::steps())));
        assert!(before.is_none(), "two workflows are called {}", W::NAME);
        self
    }

    /// Adds everything `other` knows.
    pub fn join(mut self, other: Self) -> Self {
        for (name, workflow) in other.by_name {
            let before = self.by_name.insert(name, workflow);
            assert!(before.is_none(), "two workflows are called {name}");
        }
        self
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.by_name.keys().copied().collect()
    }

    /// The names of a workflow's steps.
    pub fn steps(&self, workflow: &str) -> Vec<&'static str> {
        let kinds = self.by_name.get(workflow).map(|w| w.steps());
        kinds.unwrap_or_default().iter().map(|kind| kind.name).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&dyn AnyWorkflow> {
        self.by_name.get(name).map(|workflow| &**workflow)
    }
}

/// A workflow whose type is forgotten.
pub(crate) trait AnyWorkflow: Send + Sync {
    fn run<'a>(&self, params: &'a Value, cx: &'a TaskCx) -> BoxFuture<'a, Result<()>>;
    fn finish<'a>(
        &self,
        params: &'a Value,
        cx: &'a Cx,
        tx: &'a mut Tx,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<()>>;
    fn limit(&self, params: &Value) -> Result<Duration>;
    fn steps(&self) -> &[StepKind];
}

impl dyn AnyWorkflow + '_ {
    pub fn step(&self, name: &str) -> Option<&StepKind> {
        self.steps().iter().find(|kind| kind.name == name)
    }
}

struct Of<W>(PhantomData<fn() -> W>, Vec<StepKind>);

impl<W: Workflow> AnyWorkflow for Of<W> {
    fn run<'a>(&self, params: &'a Value, cx: &'a TaskCx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { read::<W>(W::NAME, params)?.run(cx).await })
    }

    fn finish<'a>(
        &self,
        params: &'a Value,
        cx: &'a Cx,
        tx: &'a mut Tx,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { read::<W>(W::NAME, params)?.finish(cx, tx, outcome).await })
    }

    fn limit(&self, params: &Value) -> Result<Duration> {
        read::<W>(W::NAME, params).map(|workflow| workflow.limit())
    }

    fn steps(&self) -> &[StepKind] {
        &self.1
    }
}
