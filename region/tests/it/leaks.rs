//! `/leaks`: nothing after a whole life, and every planted difference.

use region::{address, network::ensure, server};
use serde_json::{Value, json};
use store::{
    quota,
    sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use testkit::{Database, both};
use types::{AddressId, ServerId, Timestamp};

use crate::{
    call::{ADMIN, MEMBER, delete, post},
    site::{Site, migrations},
    world::{leaks, world},
};

pub fn server(name: &str) -> crate::call::Call {
    post(
        "/servers",
        json!({ "name": name, "image": "small", "flavor": "one", "networks": ["net"] }),
    )
}

/// Everything a project can do with a server and a disk, to the end of both.
async fn a_whole_life_leaves_nothing(database: Database) {
    let site = Site::new(database).await;
    let start = world(&site).await;
    let act = |path: &str| post(path, Value::Null);
    for call in [
        server("web"),
        post("/disks", json!({ "name": "data", "size": "2G", "near": "web" })),
        post("/disks/data/attach", json!({ "server": "web" })),
        act("/servers/web/reboot"),
        act("/servers/web/stop"),
        post("/servers/web/resize", json!({ "flavor": "two" })),
        post("/snapshots", json!({ "name": "before", "disk": "data" })),
        post("/disks/data/resize", json!({ "size": "3G" })),
        act("/snapshots/before/revert"),
        act("/servers/web/rebuild"),
        act("/servers/web/start"),
    ] {
        site.run(call.clone()).await;
        assert_eq!(leaks(&site).await, Vec::<Value>::new(), "after {call:?}");
    }
    for path in ["/servers/web", "/snapshots/before", "/disks/data"] {
        site.run(delete(path)).await;
    }
    let mut end = world(&site).await;
    // What the next server there uses again.
    for shared in ["/cloud/networks", "/cloud/images", "/networks/0/places"] {
        *end.pointer_mut(shared).unwrap() = start.pointer(shared).unwrap().clone();
    }
    assert_eq!(end, start);
    site.run(delete("/networks/net")).await;
    site.run(delete("/cloud-accounts/sim").admin()).await;
    assert_eq!(leaks(&site).await, Vec::<Value>::new());
}

async fn every_planted_difference_shows(database: Database) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    let row = site.store.one(server::Entity::find()).await.unwrap().unwrap();

    let gone = delete(&format!("/claims?consumer=server/{}", row.id));
    site.place(gone).await;
    assert_eq!(kinds(&site).await, [["claims", "claim"]]);
    let ask = json!({ "consumers": [{ "consumer": format!("server/{}", row.id), "token": "again" }],
        "request": { "vcpus": 1, "memory": "512M", "disks": [{ "size": "1G" }], "count": 1 } });
    site.place(post("/claims", ask)).await;
    assert_eq!(kinds(&site).await, Vec::<[String; 2]>::new());

    charge(&site, 1).await;
    assert_eq!(kinds(&site).await, [["quota", "servers"]]);
    charge(&site, -1).await;

    let orphan = orphan(&site).await;
    assert_eq!(kinds(&site).await, [["addresses", "address"], ["addresses", "network"]]);
    let tx = site.store.begin().await.unwrap();
    tx.delete(address::Entity::delete_many().filter(address::Column::Id.eq(orphan)))
        .await
        .unwrap();
    tx.commit().await.unwrap();

    // A network whose maker could not write down its reference is known by its token; without a row it is not.
    let tx = site.store.begin().await.unwrap();
    let unknown = ensure::Entity::update_many().col_expr(ensure::Column::ExternalId, Expr::value(None::<String>));
    assert_eq!(tx.update(unknown).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(kinds(&site).await, Vec::<[String; 2]>::new());
    let tx = site.store.begin().await.unwrap();
    tx.delete(ensure::Entity::delete_many()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(kinds(&site).await, [["cloud", "network"]]);

    // A machine that only the cloud knows, and one that only the tables know.
    let tx = site.store.begin().await.unwrap();
    let other = server::Entity::update_many().col_expr(server::Column::ExternalId, Expr::value("vm-nowhere"));
    tx.update(other.filter(server::Column::Id.eq(row.id))).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        kinds(&site).await,
        [["cloud", "network"], ["cloud", "server"], ["rows", "server"]]
    );

    let denied = site.send(MEMBER, "GET", "/leaks", &[], &Value::Null).await;
    assert_eq!(denied.status, 403);
}

both!(&migrations(); a_whole_life_leaves_nothing, every_planted_difference_shows);

async fn kinds(site: &Site) -> Vec<[String; 2]> {
    let found = leaks(site).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    found.iter().map(|leak| [text(&leak[0]), text(&leak[1])]).collect()
}

async fn charge(site: &Site, amount: i64) {
    let tx = site.store.begin().await.unwrap();
    tx.charge(&"ours".parse().unwrap(), &[("servers", amount)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(site.store.count(quota::Entity::find()).await.unwrap() > 0);
}

/// An address of a server that never was.
async fn orphan(site: &Site) -> AddressId {
    let network = site.get(MEMBER, "/networks/net").await["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let id = AddressId::new();
    let tx = site.store.begin().await.unwrap();
    tx.insert(address::ActiveModel {
        id: Set(id),
        network_id: Set(network),
        number: Set(1),
        address: Set("10.0.0.200".to_owned()),
        mac: Set("52:54:00:00:00:00".to_owned()),
        server_id: Set(Some(ServerId::new())),
        slot: Set(0),
        created_at: Set(Timestamp::now()),
    })
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert!(!site.get(ADMIN, "/leaks").await["items"].as_array().unwrap().is_empty());
    id
}
