//! Transactions that share a commit are still each their own.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, EntityTrait};
use store::{Store, Tx, sea_orm};
use testkit::{Database, both};
use tokio::task::JoinSet;
use types::Timestamp;

use crate::thing;

async fn add(tx: &Tx, name: &str) {
    let row = thing::ActiveModel {
        id: Set(name.to_owned()),
        name: Set(name.to_owned()),
        project_id: Set("p1".parse().unwrap()),
        domain_id: Set("default".parse().unwrap()),
        size: Set(1),
        created_at: Set(Timestamp::from_micros(0)),
    };
    tx.insert(row).await.unwrap();
}

async fn names(store: &Store) -> Vec<String> {
    let rows = store.all(thing::Entity::find()).await.unwrap();
    let mut names: Vec<_> = rows.into_iter().map(|row| row.name).collect();
    names.sort();
    names
}

/// One in three commits, one goes away without, one breaks its own transaction.
async fn each_of_a_crowd_keeps_its_own(db: Database) {
    let mut crowd = JoinSet::new();
    for n in 0..120 {
        let store = db.store.clone();
        crowd.spawn(async move {
            let tx = store.begin().await.unwrap();
            add(&tx, &format!("t{n:03}")).await;
            match n % 3 {
                0 => tx.commit().await.unwrap(),
                1 => {}
                _ => assert!(tx.rows::<thing::Model>("SELECT nothing", vec![]).await.is_err()),
            }
        });
    }
    while let Some(done) = crowd.join_next().await {
        done.unwrap();
    }
    let kept: Vec<_> = (0..120).step_by(3).map(|n| format!("t{n:03}")).collect();
    assert_eq!(names(&db.store).await, kept);
}

/// A commit that was put off for somebody who waited for his turn comes when he goes away.
async fn who_gives_up_keeps_nobody_waiting(db: Database) {
    let first = db.store.begin().await.unwrap();
    add(&first, "first").await;
    let mut second = Box::pin(db.store.begin());
    let gave_up = futures::poll!(&mut second);
    let commit = tokio::spawn(first.commit());
    if gave_up.is_pending() {
        // It ends its turn, and has to leave the commit to the one who waits.
        tokio::task::yield_now().await;
    }
    drop(second);
    drop(gave_up);
    let commit = tokio::time::timeout(Duration::from_secs(20), commit).await;
    commit.expect("nobody commits").unwrap().unwrap();
    assert_eq!(names(&db.store).await, ["first"]);
}

/// Callers that are dropped anywhere on their way leave a database in which others can write.
async fn callers_may_go_away_anywhere(db: Database) {
    for patience in 0..60u64 {
        let store = db.store.clone();
        let work = async move {
            let tx = store.begin().await.unwrap();
            add(&tx, &format!("gone{patience}")).await;
            tx.commit().await.unwrap();
        };
        let beside = db.store.begin();
        let cut = tokio::time::timeout(Duration::from_micros(patience * 40), work);
        let (tx, cut) = tokio::join!(beside, cut);
        let tx = tx.unwrap();
        add(&tx, &format!("kept{patience}")).await;
        tx.commit().await.unwrap();
        drop(cut);
    }
    let kept = names(&db.store).await;
    let kept = kept.iter().filter(|name| name.starts_with("kept")).count();
    assert_eq!(kept, 60);
}

both!(&[thing::MIGRATION]; each_of_a_crowd_keeps_its_own, who_gives_up_keeps_nobody_waiting, callers_may_go_away_anywhere);
