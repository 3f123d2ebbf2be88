//! The store's promises, on SQLite and on PostgreSQL: scope, paging, quota, events in commit order.

#![allow(clippy::unwrap_used)]

mod group;
mod thing;

use std::{sync::Arc, time::Duration};

use auth::{Cx, Policy, Scope, Who};
use sea_orm::{ActiveValue::Set, EntityTrait};
use store::{Event, Filter, Op, Query, event::Since, sea_orm};
use testkit::{Database, both};
use types::{Kind, ProjectId, Timestamp};

both!(&[thing::MIGRATION]; scope_decides_what_is_found, pages_cover_each_row_once, filters_refuse_what_they_do_not_know,
    quota_is_never_exceeded, an_event_is_never_overtaken, a_signal_wakes_another_connection, a_key_answers_once,
    a_crowd_that_reads_inside_its_transactions_gets_through,
    migrating_again_changes_nothing);

fn member(project: &str) -> Cx {
    let who = Who {
        user: "u1".parse().unwrap(),
        user_name: "una".to_owned(),
        domain: "default".parse().unwrap(),
        scope: Scope::Project {
            id: project.parse().unwrap(),
            domain: "default".parse().unwrap(),
        },
        roles: vec!["member".to_owned()],
    };
    Cx::new(who, Arc::new(Policy::default()), "req-test")
}

async fn insert(db: &Database, project: &str, name: &str, size: i64) -> thing::Model {
    let tx = db.store.begin().await.unwrap();
    let row = thing::ActiveModel {
        id: Set(uuid::Uuid::now_v7().to_string()),
        name: Set(name.to_owned()),
        project_id: Set(project.parse().unwrap()),
        domain_id: Set("default".parse().unwrap()),
        size: Set(size),
        created_at: Set(Timestamp::from_micros(size / 10)),
    };
    let row = tx.insert(row).await.unwrap();
    tx.commit().await.unwrap();
    row
}

async fn scope_decides_what_is_found(db: Database) {
    let mine = insert(&db, "p1", "web", 1).await;
    let other = insert(&db, "p2", "db", 2).await;
    let (una, admin) = (member("p1"), Cx::service("test", "req-test"));
    assert_eq!(*db.store.find::<thing::Entity>(&una, "get", "web").await.unwrap(), mine);
    for key in ["db", other.id.as_str()] {
        let error = db.store.find::<thing::Entity>(&una, "get", key).await.err().unwrap();
        assert_eq!(
            (error.kind, error.message),
            (Kind::NotFound, format!("there is no server `{key}` that you can see"))
        );
    }
    assert_eq!(
        *db.store.find::<thing::Entity>(&admin, "get", &other.id).await.unwrap(),
        other
    );
    assert_eq!(
        db.store
            .list::<thing::Entity>(&una, &Query::default())
            .await
            .unwrap()
            .items,
        [mine]
    );
}

async fn pages_cover_each_row_once(db: Database) {
    for n in 0..23 {
        insert(&db, "p1", &format!("t{:02}", (n * 7) % 23), n).await;
    }
    for sort in ["name", "-name", "created_at", "-created_at"] {
        let mut query = Query {
            limit: Some(5),
            sort: Some(sort.to_owned()),
            ..Query::default()
        };
        let mut seen = Vec::new();
        loop {
            let page = db.store.list::<thing::Entity>(&member("p1"), &query).await.unwrap();
            seen.extend(page.items);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 23, "{sort}");
        let key = |row: &thing::Model| {
            (
                if sort.ends_with("name") {
                    row.name.clone()
                } else {
                    format!("{:?}", row.created_at)
                },
                row.id.clone(),
            )
        };
        let mut sorted = seen.clone();
        sorted.sort_by_key(key);
        if sort.starts_with('-') {
            sorted.reverse();
        }
        assert_eq!(seen, sorted, "{sort}");
    }
}

async fn filters_refuse_what_they_do_not_know(db: Database) {
    insert(&db, "p1", "Web_1", 5).await;
    insert(&db, "p1", "webx1", 50).await;
    let ask = async |column: &str, op, value: &str| {
        let filter = Filter {
            column: column.to_owned(),
            op,
            values: vec![value.to_owned()],
        };
        let query = Query {
            filters: vec![filter],
            sort: Some("name".to_owned()),
            ..Query::default()
        };
        db.store
            .list::<thing::Entity>(&member("p1"), &query)
            .await
            .map(|page| page.items.len())
    };
    assert_eq!(
        ask("name", Op::Contains, "web_").await,
        Ok(1),
        "an underscore is no wildcard, and case does not matter"
    );
    assert_eq!(ask("size", Op::Gt, "6").await, Ok(1));
    assert_eq!(
        ask("colour", Op::Eq, "red").await.unwrap_err().message,
        "servers have no `colour` to filter by"
    );
    assert_eq!(ask("size", Op::Eq, "big").await.unwrap_err().kind, Kind::Invalid);
}

async fn quota_is_never_exceeded(db: Database) {
    let project: ProjectId = "p1".parse().unwrap();
    let limit = store::quota::DEFAULTS
        .iter()
        .find(|(name, _)| *name == "networks")
        .unwrap()
        .1;
    let charges = (0..limit + 20).map(|_| async {
        let tx = db.store.begin().await.unwrap();
        match tx.charge(&project, &[("networks", 1)]).await {
            Ok(()) => tx.commit().await.map(|()| true),
            Err(error) if error.kind == Kind::Quota => Ok(false),
            Err(error) => Err(error),
        }
    });
    let done = futures::future::try_join_all(charges).await.unwrap();
    assert_eq!(done.iter().filter(|taken| **taken).count() as i64, limit);
    let row = db.store.quotas(&project).await.unwrap().remove(0);
    assert_eq!((row.used, row.max), (limit, limit));
    let tx = db.store.begin().await.unwrap();
    let error = tx.charge(&project, &[("networks", 1)]).await.unwrap_err();
    assert_eq!(
        error.message,
        "the project's quota of networks is 100 and 100 are used: 1 more do not fit"
    );
}

/// A reader that has seen n must never miss an event below n that was committed later.
async fn an_event_is_never_overtaken(db: Database) {
    let writers = (0..8).map(|w| {
        let store = db.store.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                let mut tx = store.begin().await.unwrap();
                let event = Event {
                    kind: "server.made".to_owned(),
                    id: format!("{w}-{n}"),
                    name: String::new(),
                    owner: None,
                    data: serde_json::Value::Null,
                };
                tx.event(&Cx::service("test", "req-test"), event).await.unwrap();
                tokio::task::yield_now().await;
                tx.commit().await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let reader = Cx::service("reader", "req-test");
    let (mut since, mut seen) = (
        Since {
            limit: 50,
            ..Since::default()
        },
        Vec::new(),
    );
    let mut signal = db.store.signal(store::event::CHANNEL);
    while seen.len() < 200 {
        signal.mark_unchanged();
        let rows = db.store.events(&reader, &since).await.unwrap();
        if rows.is_empty() {
            let woken = tokio::time::timeout(Duration::from_millis(200), signal.changed()).await;
            drop(woken);
        }
        since.seq = rows.last().map_or(since.seq, |row| row.seq);
        seen.extend(rows.into_iter().map(|row| row.resource_id));
    }
    futures::future::try_join_all(writers).await.unwrap();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 200);
}

async fn a_signal_wakes_another_connection(db: Database) {
    // On SQLite there is one process and so one store; on PostgreSQL another replica listens.
    let other = if db.store.is_postgres() {
        store::Store::open(&db.url).await.unwrap()
    } else {
        db.store.clone()
    };
    let mut signal = other.signal("bell");
    let ring = async {
        loop {
            let mut tx = db.store.begin().await.unwrap();
            tx.wake("bell");
            tx.commit().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = ring => {}
        heard = tokio::time::timeout(Duration::from_secs(10), signal.changed()) => heard.unwrap().unwrap(),
    }
}

async fn a_key_answers_once(db: Database) {
    let tx = db.store.begin().await.unwrap();
    tx.remember("k", "body", 202, serde_json::json!({ "id": 1 }))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let answer = db.store.answered("k", "body").await.unwrap().unwrap();
    assert_eq!((answer.status, answer.answer.0["id"].as_i64()), (202, Some(1)));
    assert_eq!(
        db.store.answered("k", "other").await.unwrap_err().code,
        "idempotency_key_reused"
    );
    assert!(db.store.answered("unknown", "body").await.unwrap().is_none());
    assert_eq!(
        db.store
            .forget_answers(Timestamp::now() + 2 * store::idempotency::KEPT)
            .await,
        Ok(1)
    );
}

/// More transactions at once than there are connections, each of which reads something beside it.
async fn a_crowd_that_reads_inside_its_transactions_gets_through(db: Database) {
    let one = async |_| {
        let tx = db.store.begin().await?;
        let seen = db.store.all(thing::Entity::find()).await?;
        tx.commit().await.map(|()| seen)
    };
    let all = futures::future::try_join_all((0..100).map(one));
    let all = tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    assert!(all.unwrap().iter().all(Vec::is_empty));
}

async fn migrating_again_changes_nothing(db: Database) {
    assert_eq!(db.store.migrate(&[thing::MIGRATION]).await, Ok(vec![]));
    assert_eq!(db.store.one(thing::Entity::find()).await, Ok(None));
}
