//! Tasks that are over leave the working table with their steps, are found as before, and expire.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use store::{
    Query,
    sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{
    Keep, history,
    row::{hold, record, step_record, task as tasks},
};
use types::{Error, TaskId, Timestamp, states::Task};

use crate::{
    engine::Running,
    on_both, toys,
    world::{World, cx},
};

/// Moves at once, forgets never.
const AT_ONCE: Keep = Keep {
    at_hand: Duration::ZERO,
    readable: Duration::ZERO,
};

impl World {
    /// So many tasks that are over, oldest first.
    async fn over(&self, count: usize) -> Vec<TaskId> {
        let engine = Running::new(self.builder().build());
        let mut ids = Vec::new();
        for n in 0..count {
            let id = self.start(&toys::Build::three(), &format!("t{n}")).await.unwrap();
            assert_eq!(self.ended(id).await, Task::Succeeded);
            ids.push(id);
        }
        engine.stop().await;
        ids
    }

    async fn at_hand(&self) -> u64 {
        self.store.count(tasks::Entity::find()).await.unwrap()
    }

    /// The whole list in pages of two, sweeping between one page and the next.
    async fn pages(&self, keep: Keep) -> Vec<TaskId> {
        let mut query = Query {
            limit: Some(2),
            ..Query::default()
        };
        let mut ids = Vec::new();
        loop {
            let page = self.store.list::<record::Entity>(&cx(), &query).await.unwrap();
            ids.extend(page.items.iter().map(|row| row.id));
            history::sweep(&self.store, keep).await.unwrap();
            match page.next {
                Some(next) => query.after = Some(next),
                None => return ids,
            }
        }
    }
}

async fn a_task_reads_the_same_in_either_place(world: World) {
    let ids = world.over(1).await;
    let before = world.seen(ids[0]).await;
    assert_eq!(history::sweep(&world.store, Keep::default()).await.unwrap().moved, 0);
    assert_eq!(world.at_hand().await, 1);
    assert_eq!(history::sweep(&world.store, AT_ONCE).await.unwrap().moved, 1);
    assert_eq!((world.at_hand().await, world.steps(ids[0]).await.len()), (0, 0));
    assert_eq!(world.seen(ids[0]).await, before);
    assert_eq!(before.1.len(), 5);
    assert_eq!(world.ended(ids[0]).await, Task::Succeeded);
    let refused = task::cancel(&cx(), &world.store, &toys::registry(), ids[0])
        .await
        .unwrap_err();
    assert_eq!(refused.code, "task_over");
    let refused = task::retry(&cx(), &world.store, ids[0], "why not").await.unwrap_err();
    assert_eq!(refused.code, "task_over");
}

async fn pages_have_neither_gaps_nor_doubles(world: World) {
    let ids = world.over(7).await;
    // The middle one is already history, so the places interleave.
    let tx = world.store.begin().await.unwrap();
    let later = tasks::Entity::update_many()
        .col_expr(
            tasks::Column::FinishedAt,
            Expr::value(Timestamp::now() + Duration::from_secs(3600)),
        )
        .filter(tasks::Column::Id.ne(ids[3]));
    tx.update(later).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(history::sweep(&world.store, AT_ONCE).await.unwrap().moved, 1);
    let newest_first: Vec<_> = ids.iter().rev().copied().collect();
    assert_eq!(world.pages(AT_ONCE).await, newest_first);
    // Now each page is followed by a move of everything.
    let tx = world.store.begin().await.unwrap();
    let now = tasks::Entity::update_many().col_expr(tasks::Column::FinishedAt, Expr::value(Timestamp::from_micros(1)));
    tx.update(now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.pages(AT_ONCE).await, newest_first);
    assert_eq!(world.at_hand().await, 0);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 7);
}

async fn what_is_under_way_or_holds_something_stays(world: World) {
    let over = world.over(1).await[0];
    let queued = world.start(&toys::Build::three(), "q").await.unwrap();
    world.cloud.fail("c", Error::invalid("c is wrong"), 1);
    world.cloud.fail("unmake b", Error::denied("b is protected"), 3);
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(queued).await, Task::NeedsOperator);
    engine.stop().await;
    let tx = world.store.begin().await.unwrap();
    let held = hold::ActiveModel {
        resource: Set("thing/other".to_owned()),
        task_id: Set(over),
        since: Set(Timestamp::now()),
    };
    tx.insert(held).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(history::sweep(&world.store, AT_ONCE).await.unwrap().moved, 0);
    let tx = world.store.begin().await.unwrap();
    tx.delete(hold::Entity::delete_many().filter(hold::Column::TaskId.eq(over)))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(history::sweep(&world.store, AT_ONCE).await.unwrap().moved, 1);
    assert_eq!(world.row(queued).await.state, Task::NeedsOperator);
}

/// Its parent may still read how it ended.
async fn a_child_stays_with_its_parent(world: World) {
    let child = world.over(1).await[0];
    let parent = world.start(&toys::Build::three(), "parent").await.unwrap();
    let tx = world.store.begin().await.unwrap();
    let below = tasks::Entity::update_many().col_expr(tasks::Column::Parent, Expr::value(parent.to_string()));
    tx.update(below.filter(tasks::Column::Id.eq(child))).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(history::sweep(&world.store, AT_ONCE).await.unwrap().moved, 0);
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(parent).await, Task::Succeeded);
    engine.stop().await;
    assert_eq!(history::sweep(&world.store, AT_ONCE).await.unwrap().moved, 2);
}

async fn history_expires(world: World) {
    let id = world.over(1).await[0];
    let keep = Keep {
        at_hand: Duration::ZERO,
        readable: Duration::from_nanos(1),
    };
    let swept = history::sweep(&world.store, keep).await.unwrap();
    assert_eq!((swept.moved, swept.forgotten), (1, 1));
    assert_eq!(world.store.count(record::Entity::find()).await.unwrap(), 0);
    assert_eq!(world.store.count(step_record::Entity::find()).await.unwrap(), 0);
    let gone = task::wait(&world.store, id, Duration::ZERO).await.unwrap_err();
    assert_eq!(json!(gone.kind), json!("not_found"));
}

on_both! {
    a_task_reads_the_same_in_either_place
    pages_have_neither_gaps_nor_doubles
    what_is_under_way_or_holds_something_stays
    a_child_stays_with_its_parent
    history_expires
}
