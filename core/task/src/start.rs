//! Starting a task: its row, its hold on the resource and its event go into the caller's transaction.

use auth::Cx;
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};
use serde_json::json;
use store::{Event, Tx};
use types::{DomainId, Error, Json, ProjectId, Result, TaskId, Timestamp, states};

use crate::{
    Child, Join, QUEUE, Step, Workflow, children,
    engine::journal,
    row::{hold, task},
    workflow::write,
};

/// The resource a task works on, and holds while it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub noun: &'static str,
    pub id: String,
    pub name: String,
    pub owner: Option<(ProjectId, DomainId)>,
}

/// Queues `workflow`; it begins after the caller's commit.
///
/// Errors: `Conflict` with code `busy` when another task holds the target; `details.task` is its id.
pub async fn start<W: Workflow>(cx: &Cx, tx: &mut Tx, workflow: &W, target: Target) -> Result<TaskId> {
    queue(cx, tx, None, &Child::of(workflow, target)?).await
}

/// Like [`start`], together with children of the new task: its id, and theirs in the same order.
///
/// The workflow waits for them with [`crate::TaskCx::join`]. Errors: `Invalid` beyond [`crate::MOST_CHILDREN`].
pub async fn start_with<W: Workflow>(
    cx: &Cx,
    tx: &mut Tx,
    workflow: &W,
    target: Target,
    children: &[Child],
) -> Result<(TaskId, Vec<TaskId>)> {
    if W::steps().iter().all(|kind| kind.name != Join::NAME) {
        return Err(Error::broken(format!("{} does not wait for children", W::NAME)));
    }
    let parent = start(cx, tx, workflow, target).await?;
    Ok((parent, children::insert(cx, tx, parent, children).await?))
}

pub(crate) async fn queue(cx: &Cx, tx: &mut Tx, parent: Option<TaskId>, child: &Child) -> Result<TaskId> {
    let id = TaskId::new();
    hold(tx, id, &child.noun, &child.id, &child.name).await?;
    let row = tx.insert(row(cx, id, parent, child)).await?;
    journal::announce(tx, &row, cx, states::Task::Queued, json!({})).await?;
    tx.wake(QUEUE);
    Ok(id)
}

/// What became of a request for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// A task of its own.
    New(TaskId),
    /// The same was asked for before and is under way: it is that task.
    Joined(TaskId),
}

/// Like [`start`]; but when a task with the same intent (workflow and parameters) holds the target, that is the answer.
///
/// A task that is being undone or cancelled is not joined: it will not bring about what is asked for.
pub async fn join_or_start<W: Workflow>(cx: &Cx, tx: &mut Tx, workflow: &W, target: Target) -> Result<Started> {
    let busy = match start(cx, tx, workflow, target.clone()).await {
        Err(error) if error.code == "busy" => error,
        other => return other.map(Started::New),
    };
    let Some(holder) = same(tx, workflow, &target).await? else {
        return Err(busy);
    };
    let event = Event {
        kind: "task.joined".to_owned(),
        id: holder.id.to_string(),
        name: holder.resource_name.clone(),
        owner: holder.project_id.zip(holder.domain_id),
        data: json!({ "kind": holder.kind }),
    };
    tx.event(cx, event).await?;
    Ok(Started::Joined(holder.id))
}

/// The task that holds the target with the same intent.
async fn same<W: Workflow>(tx: &Tx, workflow: &W, target: &Target) -> Result<Option<task::Model>> {
    let resource = format!("{}/{}", target.noun, target.id);
    let Some(hold) = tx.one(hold::Entity::find_by_id(resource)).await? else {
        return Ok(None);
    };
    let params = write(W::NAME, workflow)?;
    let holder = tx.one(task::Entity::find_by_id(hold.task_id)).await?;
    Ok(holder.filter(|row| {
        let goes_on = matches!(row.state, states::Task::Queued | states::Task::Running) && !row.cancel_requested;
        let is_about_it = row.resource_noun == target.noun && row.resource_id == target.id;
        goes_on && is_about_it && row.kind == W::NAME && row.params.0 == params
    }))
}

/// A task as it is before anybody took it.
fn row(cx: &Cx, id: TaskId, parent: Option<TaskId>, child: &Child) -> task::ActiveModel {
    let (project, domain) = child.owner.clone().unzip();
    task::ActiveModel {
        id: Set(id),
        kind: Set(child.kind.clone()),
        state: Set(states::Task::Queued),
        resource_noun: Set(child.noun.clone()),
        resource_id: Set(child.id.clone()),
        resource_name: Set(child.name.clone()),
        project_id: Set(project),
        domain_id: Set(domain),
        params: Set(Json(child.params.clone())),
        who: Set(Json(cx.who().clone())),
        request_id: Set(cx.request_id().to_owned()),
        parent: Set(parent),
        progress: Set(None),
        error: Set(None),
        stuck: Set(None),
        cancel_requested: Set(false),
        cancelled_by: Set(None),
        abandoned: Set(false),
        owner: Set(None),
        woken: Set(false),
        fence: Set(0),
        due_at: Set(Some(Timestamp::from_micros(0))),
        created_at: Set(Timestamp::now()),
        started_at: Set(None),
        finished_at: Set(None),
    }
}

/// Lets task `id` hold one more resource until it ends. [`start`] does it for the target.
///
/// Errors: `Conflict` with code `busy`, naming the task that holds it.
pub async fn hold(tx: &Tx, id: TaskId, noun: &str, resource_id: &str, name: &str) -> Result<()> {
    let resource = format!("{noun}/{resource_id}");
    let row = hold::ActiveModel {
        resource: Set(resource.clone()),
        task_id: Set(id),
        since: Set(Timestamp::now()),
    };
    let mut insert = hold::Entity::insert(row);
    let insert = sea_orm::QueryTrait::query(&mut insert)
        .on_conflict(OnConflict::column(hold::Column::Resource).do_nothing().to_owned())
        .to_owned();
    if tx.execute(&insert).await? == 1 {
        return Ok(());
    }
    let holder = tx.one(hold::Entity::find_by_id(resource)).await?;
    match holder {
        Some(row) if row.task_id == id => Ok(()),
        Some(row) => Err(busy(tx, noun, resource_id, name, row.task_id).await?),
        None => Err(
            Error::conflict(format!("{noun} `{name}` was held by a task that just ended: try again"))
                .code("busy")
                .on(noun, resource_id),
        ),
    }
}

async fn busy(tx: &Tx, noun: &str, id: &str, name: &str, holder: TaskId) -> Result<Error> {
    let task = tx.one(task::Entity::find_by_id(holder)).await?;
    let kind = task.map_or_else(|| "a task".to_owned(), |task| task.kind);
    Ok(Error::conflict(format!(
        "{noun} `{name}` is held by {holder} ({kind}): wait for it or cancel it"
    ))
    .code("busy")
    .on(noun, id)
    .details(json!({ "task": holder, "kind": kind })))
}
