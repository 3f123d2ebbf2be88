//! Every operation that the document describes, walked by those who may not and by those who ask wrongly.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use testkit::Database;

use crate::{
    call::{ADMIN, FOREIGN, MEMBER, READER, Reply, post},
    leaks::server,
    site::{Site, migrations},
    world::world,
};

/// One described operation.
#[derive(Clone, Debug)]
struct Walk {
    method: String,
    /// With the key of something that is there.
    path: String,
    /// The noun of the key.
    noun: String,
    id: String,
    /// A body of the right shape.
    body: Value,
    is_open: bool,
}

impl Walk {
    fn mutates(&self) -> bool {
        self.method != "GET"
    }

    fn has_key(&self) -> bool {
        self.noun != "none"
    }
}

/// What each path's key is in [`full`]: a collection and its item.
const KEYS: &[(&str, &str)] = &[
    ("servers", "web"),
    ("disks", "data"),
    ("snapshots", "before"),
    ("networks", "net"),
    ("flavors", "one"),
    ("keypairs", "key"),
    ("hosts", "sim-1"),
    ("storages", "sim"),
    ("regions", "here"),
    ("zones", "here-a"),
    ("cloud-accounts", "sim"),
];
/// What belongs to one project.
const OWNED: &[&str] = &["servers", "disks", "snapshots", "networks", "keypairs", "tasks"];
/// What everybody may see.
const VISIBLE: &[&str] = &["flavors", "regions", "zones"];

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1c3kgYmVlcyBtYWtlIGdvb2QgaG9uZXkgIQ== me";

/// A site with one of everything.
async fn full() -> Site {
    let site = Site::new(Database::sqlite(&migrations()).await).await;
    site.run(server("web")).await;
    site.run(post("/disks", json!({ "name": "data", "size": "2G", "near": "web" })))
        .await;
    site.run(post("/snapshots", json!({ "name": "before", "disk": "data" })))
        .await;
    site.made(post("/keypairs", json!({ "name": "key", "public_key": KEY })))
        .await;
    site
}

async fn walks(site: &Site) -> Vec<Walk> {
    let document = web::docs::document("region", "for a test", region::operations());
    let document = serde_json::to_value(document).unwrap();
    let tasks = site.get(MEMBER, "/tasks?limit=1").await;
    let task = tasks["items"][0]["id"].as_str().unwrap().to_owned();
    let mut walks = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let noun = path.split('/').nth(1).unwrap();
        let key = match noun {
            "tasks" => task.clone(),
            _ => KEYS
                .iter()
                .find(|(plural, _)| *plural == noun)
                .map(|(_, key)| (*key).to_owned())
                .unwrap_or_default(),
        };
        let keyed = path.contains('{');
        assert!(!keyed || !key.is_empty(), "add an item of {noun} to this test");
        for (method, operation) in methods
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, operation)| operation["operationId"].is_string())
        {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            walks.push(Walk {
                method: method.to_uppercase(),
                path: path.replace("{key}", &key).replace("{id}", &key),
                noun: if keyed { noun.to_owned() } else { "none".to_owned() },
                id: operation["operationId"].as_str().unwrap().to_owned(),
                body: if schema.is_null() {
                    Value::Null
                } else {
                    example(&document, schema)
                },
                is_open: operation["security"].is_null(),
            });
        }
    }
    assert!(walks.len() > 50, "{}", walks.len());
    walks
}

/// A value of the schema's shape; only what is required.
fn example(document: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return example(document, document.pointer(name.trim_start_matches('#')).unwrap());
    }
    match schema["type"].as_str() {
        Some("integer") => json!(1 << 30),
        Some("array") => json!([example(document, &schema["items"])]),
        Some("object") | None => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let fields = required.iter().map(|name| name.as_str().unwrap());
            fields
                .map(|name| (name.to_owned(), example(document, &schema["properties"][name])))
                .collect::<Map<_, _>>()
                .into()
        }
        _ => json!("x"),
    }
}

/// Verbs of the policy that a route of another name asks about.
const ASKED_BY: &[(&str, &str)] = &[
    ("server_attach", "disk_attach"),
    ("server_detach", "disk_detach"),
    ("disk_snapshot", "snapshot_create"),
    ("quota_update", "quota_set"),
    ("claim_create", "claim_ask"),
    ("claim_update", "claim_resize"),
    ("claim_delete", "claim_release"),
];
/// Their routes are OpenStack's, or have no description: regions are changed at keystone, events are a stream.
const UNDESCRIBED: &[&str] = &["image", "region", "event"];

#[test]
fn every_verb_of_the_policy_has_a_route() {
    let operations = region::operations().into_iter().chain(scheduler::operations());
    let document = serde_json::to_value(web::docs::document("all", "for a test", operations.collect())).unwrap();
    let methods = document["paths"].as_object().unwrap().values();
    let ids: BTreeSet<_> = methods
        .flat_map(|methods| methods.as_object().unwrap().values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let ours = auth::policy::NOUNS
        .iter()
        .filter(|noun| !["people", "naming"].contains(&noun.class) && !UNDESCRIBED.contains(&noun.name));
    let mut complaints = Vec::new();
    for noun in ours {
        for verb in noun.verbs() {
            let id = format!("{}_{verb}", noun.name).replace('-', "_");
            let asked = ASKED_BY
                .iter()
                .find(|(verb, _)| *verb == id)
                .map_or(id.as_str(), |(_, by)| by);
            if !ids.contains(asked) {
                complaints.push(format!("no route asks for `{} {verb}`", noun.name));
            }
        }
    }
    none(&complaints);
}

async fn ask(site: &Site, who: &str, walk: &Walk, query: &str, body: &Value) -> Reply {
    site.send(who, &walk.method, &format!("{}{query}", walk.path), &[], body)
        .await
}

fn is_problem(reply: &Reply) -> bool {
    let kind = reply.headers.get("content-type").and_then(|kind| kind.to_str().ok());
    kind == Some("application/problem+json") && reply.body["code"].is_string() && reply.body["detail"].is_string()
}

/// All complaints at once, since there are many routes.
fn none(complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{} complaints:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_is_told_so() {
    let site = full().await;
    let before = world(&site).await;
    let mut complaints = Vec::new();
    for walk in walks(&site).await {
        let mut expect = async |who: &str, statuses: &[u16]| {
            let reply = ask(&site, who, &walk, "", &walk.body).await;
            if !statuses.contains(&reply.status.as_u16()) || !is_problem(&reply) {
                complaints.push(format!("{} as `{who}`: {} {}", walk.id, reply.status, reply.body));
            }
        };
        if !walk.is_open {
            expect("", &[401]).await;
            expect("not a token", &[401]).await;
        }
        if OWNED.contains(&walk.noun.as_str()) {
            expect(FOREIGN, &[404]).await;
            if walk.mutates() {
                expect(READER, &[403]).await;
            }
        } else if walk.has_key() && walk.mutates() && !walk.is_open {
            let denied = if VISIBLE.contains(&walk.noun.as_str()) {
                403
            } else {
                404
            };
            expect(MEMBER, &[denied]).await;
        } else if walk.mutates() && !walk.is_open {
            expect(READER, &[403]).await;
        }
    }
    none(&complaints);
    assert_eq!(world(&site).await, before);
    assert_eq!(site.send("", "GET", "/events", &[], &Value::Null).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_known_is_refused() {
    let site = full().await;
    let before = world(&site).await;
    let mut complaints = Vec::new();
    for walk in walks(&site).await {
        let mut expect = |what: &str, code: &str, reply: Reply| {
            if reply.status != 400 || reply.body["code"] != code {
                complaints.push(format!(
                    "{} {} with an unknown {what}: {} {}",
                    walk.method, walk.path, reply.status, reply.body
                ));
            }
        };
        if walk.body.is_object() {
            let mut body = walk.body.clone();
            body["surprise"] = json!(1);
            expect("field", "unknown_field", ask(&site, ADMIN, &walk, "", &body).await);
        }
        if !walk.is_open {
            expect(
                "parameter",
                "unknown_parameter",
                ask(&site, ADMIN, &walk, "?surprise=1", &walk.body).await,
            );
        }
    }
    none(&complaints);
    assert_eq!(world(&site).await, before);
}
