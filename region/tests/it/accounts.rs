//! Cloud accounts: one whose sync failed is still looked at; two of one kind share a network; what one leaves when it goes.

use contract::{ExternalRef, Kind};
use region::{account, host::facts::Facts, network::ensure, observe::Observe};
use serde_json::{Value, json};
use sim::{Control, world::Side};
use store::sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use task::{Extensions, Reconciler, reconcile};
use testkit::{Database, both};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use types::states;

use crate::{
    call::{ADMIN, Call, MEMBER, delete, post},
    hosts,
    leaks::server,
    refuse::refused,
    site::{PATIENCE, Site, migrations},
    world::leaks,
};

/// Lets one reconciler work, looking again with each event, until it looks so.
async fn until<R: Reconciler>(site: &Site, worker: R, who: &str, path: &str, so: impl Fn(&Value) -> bool) -> Value {
    let stop = CancellationToken::new();
    let shared = Extensions::default().add(site.state.clone());
    let work = tokio::spawn(reconcile::run(worker, site.store.clone(), shared, stop.clone()));
    let mut events = site.store.signal(store::event::CHANNEL);
    let end = Instant::now() + PATIENCE;
    let seen = loop {
        events.mark_unchanged();
        let seen = site.get(who, path).await;
        if so(&seen) {
            break seen;
        }
        assert!(Instant::now() < end, "{path} never changed: {seen:#}");
        // Timed out or woken: either way, look.
        let _ = timeout(std::time::Duration::from_millis(500), events.changed()).await;
    };
    stop.cancel();
    work.await.unwrap();
    seen
}

async fn an_account_whose_sync_failed_is_still_looked_at(database: Database) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    let control = site.control().await;
    control
        .fail_next(Some("hosts.list"), 1, Side::Before, Kind::Denied)
        .await
        .unwrap();
    let sync = || post("/cloud-accounts/sim/sync", Value::Null).admin();
    let task = site.begun(sync()).await;
    assert_eq!(site.work_until(task).await.0, states::Task::Failed);
    let failed = site.get(ADMIN, "/cloud-accounts/sim").await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["fault"].is_string(), "{failed:#}");

    let machine = control.world().await.unwrap().machines.keys().next().unwrap().clone();
    control.power_off(&ExternalRef::new(machine)).await.unwrap();
    until(&site, Observe, MEMBER, "/servers/web", |row| row["state"] == "stopped").await;
    assert_eq!(site.get(ADMIN, "/cloud-accounts/sim").await["state"], "failed");

    let back = |row: &Value| row["state"] == "connected";
    let seen = until(&site, Facts, ADMIN, "/cloud-accounts/sim", back).await;
    assert!(seen["fault"].is_null(), "{seen:#}");
    site.run(sync()).await;
    assert_eq!(site.get(ADMIN, "/cloud-accounts/sim").await["state"], "connected");
}

async fn an_account_that_never_answered_is_left_alone(database: Database) {
    let site = Site::new(database).await;
    let wrong = json!({ "name": "wrong", "driver": "sim", "options": { "hosts": 0 } });
    let task = site.begun(post("/cloud-accounts", wrong).admin()).await;
    assert_eq!(site.work_until(task).await.0, states::Task::Failed);
    let live = account::live(&site.store).await.unwrap();
    assert_eq!(live.into_iter().map(|row| row.name).collect::<Vec<_>>(), ["sim"]);
}

/// The other side of an account's cloud.
pub async fn cloud(site: &Site, name: &str) -> Control {
    let row = account::Entity::find().filter(account::Column::Name.eq(name));
    let row = site.store.one(row).await.unwrap().unwrap();
    Control::open(&contract::Site {
        account: row.name,
        credential: row.options.0,
        ..contract::Site::default()
    })
    .unwrap()
}

/// The addresses that the cloud's only network hands out.
async fn leases(site: &Site, account: &str) -> Vec<String> {
    let world = cloud(site, account).await.world().await.unwrap();
    assert_eq!(world.networks.len(), 1, "{account}");
    let leases = world.networks.values().flat_map(|row| row.leases.clone());
    leases.map(|lease| lease.address).collect()
}

async fn two_accounts_share_a_network(database: Database) {
    let site = Site::new(database).await;
    site.run(server("a")).await;
    let other = json!({ "hosts": 1, "state": site.journal().with_file_name("other.jsonl") });
    let other = json!({ "name": "sim2", "driver": "sim", "options": other });
    site.run(post("/cloud-accounts", other).admin()).await;
    // Members do not choose accounts: the second server goes where there is a host left.
    site.made(post("/hosts/sim-1/disable", Value::Null).admin()).await;
    site.run(server("b")).await;
    let address = async |name: &str| {
        let row = site.get(MEMBER, &format!("/servers/{name}")).await;
        (
            row["account"].as_str().unwrap().to_owned(),
            row["addresses"][0]["address"].as_str().unwrap().to_owned(),
        )
    };
    let (a, b) = (address("a").await, address("b").await);
    assert_eq!((a.0.as_str(), b.0.as_str()), ("sim", "sim2"));
    assert_ne!(a.1, b.1, "both are in one network");
    assert_eq!(leases(&site, "sim").await, [a.1]);
    assert_eq!(leases(&site, "sim2").await, [b.1.as_str()]);
    assert_eq!(leaks(&site).await, Vec::<Value>::new());

    site.run(delete("/servers/a")).await;
    assert_eq!(leases(&site, "sim2").await, [b.1]);
    assert_eq!(leaks(&site).await, Vec::<Value>::new());
    let used = site.call(delete("/networks/net")).await;
    assert_eq!(used.body["code"], "in_use", "{:#}", used.body);

    site.run(delete("/servers/b")).await;
    site.run(delete("/networks/net")).await;
    for account in ["sim", "sim2"] {
        let world = cloud(&site, account).await.world().await.unwrap();
        assert!(world.networks.is_empty(), "{account}");
    }
    assert_eq!(leaks(&site).await, Vec::<Value>::new());
}

fn forget() -> Call {
    delete("/cloud-accounts/sim").admin()
}

/// An account on whose cloud a network was left for the next server.
async fn with_a_network(database: Database) -> (Site, ensure::Model) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    site.run(delete("/servers/web")).await;
    let place = site.store.one(ensure::Entity::find()).await.unwrap().unwrap();
    assert_eq!(cloud(&site, "sim").await.world().await.unwrap().networks.len(), 1);
    (site, place)
}

async fn places(site: &Site) -> u64 {
    site.store.count(ensure::Entity::find()).await.unwrap()
}

async fn a_forgotten_account_takes_its_networks_with_it(database: Database) {
    let (site, place) = with_a_network(database).await;
    site.run(forget()).await;
    let control = cloud(&site, "sim").await;
    assert!(control.world().await.unwrap().networks.is_empty());
    assert_eq!(places(&site).await, 0);
    // As an earlier version left it: there is nobody to ask about it any more.
    control
        .fail_next(Some("networks.delete"), 1, Side::Before, Kind::Denied)
        .await
        .unwrap();
    let tx = site.store.begin().await.unwrap();
    tx.insert(place.into_active_model().reset_all()).await.unwrap();
    tx.commit().await.unwrap();
    site.run(delete("/networks/net")).await;
    assert_eq!(places(&site).await, 0);
    assert_eq!(leaks(&site).await, Vec::<Value>::new());
}

async fn an_account_whose_cloud_refuses_is_forgotten_when_asked_again(database: Database) {
    let (site, _) = with_a_network(database).await;
    let control = cloud(&site, "sim").await;
    control
        .fail_next(Some("networks.delete"), 1, Side::Before, Kind::Denied)
        .await
        .unwrap();
    let task = site.begun(forget()).await;
    assert_eq!(site.work_until(task).await.0, states::Task::Failed);
    let failed = site.get(ADMIN, "/cloud-accounts/sim").await;
    let fault = failed["fault"].as_str().unwrap();
    assert!(
        failed["state"] == "failed" && fault.contains("delete it again"),
        "{failed:#}"
    );
    assert_eq!(places(&site).await, 1);

    site.run(forget()).await;
    assert_eq!(
        control.world().await.unwrap().networks.len(),
        1,
        "it was not asked again"
    );
    assert_eq!(places(&site).await, 0);
    site.run(delete("/networks/net")).await;
}

async fn an_account_stays_while_something_is_about_to_be_made_there(database: Database) {
    let site = Site::new(database).await;
    let made = site.made(server("next")).await["items"][0]["item"]["id"].clone();
    hosts::claim(&site, &format!("server/{}", made.as_str().unwrap())).await;
    let said = refused(&site, forget(), 409, "in_use").await;
    assert!(said.contains("a claim of server `next`"), "{said}");
}

async fn agents_of_a_forgotten_account_do_not_join_again_by_themselves(database: Database) {
    let site = Site::empty(database).await;
    let join = hosts::join(&site).await;
    site.made(join.clone()).await;
    site.run(delete("/cloud-accounts/private").admin()).await;
    assert_eq!(site.get(ADMIN, "/hosts").await["items"], json!([]));
    let again = site.call(join).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["code"]),
        (401, &json!("bad_join_token"))
    );
}

both!(
    &migrations();
    a_forgotten_account_takes_its_networks_with_it,
    an_account_whose_cloud_refuses_is_forgotten_when_asked_again,
    an_account_stays_while_something_is_about_to_be_made_there,
    agents_of_a_forgotten_account_do_not_join_again_by_themselves,
    an_account_whose_sync_failed_is_still_looked_at,
    an_account_that_never_answered_is_left_alone,
    two_accounts_share_a_network,
);
