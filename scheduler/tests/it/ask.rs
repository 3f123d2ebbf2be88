//! What asks are answered with: claims, plans, sentences.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{GIB, ask, sites};

#[tokio::test]
async fn the_same_token_gets_the_same_claims() {
    for site in sites().await {
        let (one, other) = (site.scheduler().await, site.scheduler().await);
        site.host("h1", 4, 8 * GIB, "[]").await;
        site.host("h2", 4, 8 * GIB, "[]").await;
        let wanted = ask("a", json!({ "vcpus": 2, "memory": "2G", "disks": [{ "size": "10G" }] }));
        let (status, first) = one.post("/claims", wanted.clone()).await;
        assert_eq!(status, StatusCode::OK, "{first}");
        for scheduler in [&one, &other] {
            let (_, again) = scheduler.post("/claims", wanted.clone()).await;
            let place = |body: &Value| {
                let placement = body["placements"][0].clone();
                ["consumer", "host", "host_name", "account", "zone", "storages"].map(|key| placement[key].clone())
            };
            assert_eq!(place(&again), place(&first));
        }
        assert_eq!(one.get("/claims").await["items"].as_array().unwrap().len(), 2);
        assert_eq!(site.number("SELECT CAST(SUM(vcpus_used) AS BIGINT) FROM host").await, 2);
        let (status, refusal) = one
            .post(
                "/claims",
                json!({ "consumers": [{ "consumer": "server/b", "token": "t-a" }], "request": {} }),
            )
            .await;
        assert_eq!(
            (status, &refusal["code"]),
            (StatusCode::CONFLICT, &json!("token_reused"))
        );
        one.assert_sums().await;
    }
}

#[tokio::test]
async fn a_batch_is_placed_whole_or_not_at_all() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        site.host("h1", 4, 8 * GIB, "[]").await;
        let consumers = |n: usize| -> Vec<Value> {
            (0..n)
                .map(|i| json!({ "consumer": format!("server/{n}-{i}"), "token": format!("{n}-{i}") }))
                .collect()
        };
        let five = json!({ "consumers": consumers(5), "request": { "count": 5 } });
        let (status, refusal) = scheduler.post("/claims", five).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            refusal["detail"]
                .as_str()
                .unwrap()
                .starts_with("only 4 of 5 fit, so none is placed"),
            "{refusal}"
        );
        let four = json!({ "consumers": consumers(4), "request": { "count": 4 } });
        let (status, claims) = scheduler.post("/claims", four).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(claims["placements"].as_array().unwrap().len(), 4);
        scheduler.assert_sums().await;
    }
}

#[tokio::test]
async fn no_host_fits_says_why_in_names() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        site.host("h1", 4, 4 * GIB, "[]").await;
        let lost = site.host("h2", 64, 64 * GIB, "[]").await;
        site.sql(&format!("UPDATE host SET state = 'lost' WHERE id = '{}'", lost.id))
            .await;
        let (status, refusal) = scheduler.post("/claims", ask("a", json!({ "memory": "8G" }))).await;
        assert_eq!(
            (status, &refusal["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("no_host_fits"))
        );
        assert_eq!(refusal["kind"], "capacity");
        assert_eq!(
            refusal["detail"],
            "no host fits: of 2 hosts, 1 was not ready, 1 lacked memory (nearest: host h1 has 4G free, needs 8G)"
        );
        assert_eq!(refusal["details"]["considered"], 2);

        site.sql("INSERT INTO zone (id, name, region_id, created_at, version) VALUES ('zone-00000000000000000000000000', 'west', 'rgn', 0, 1)").await;
        let (_, refusal) = scheduler
            .post(
                "/claims",
                ask("a", json!({ "zone": "zone-00000000000000000000000000" })),
            )
            .await;
        assert_eq!(
            refusal["detail"],
            "no host fits: of 2 hosts, 2 were in another zone; nearest: host h1: zone: needs west, has east"
        );
        assert_eq!(scheduler.get("/claims").await["items"], json!([]));
    }
}

#[tokio::test]
async fn a_network_on_a_bridge_is_reached_by_tagged_hosts() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        site.host("h1", 4, 4 * GIB, "[\"gpu\"]").await;
        let (nat, lan) = (
            site.network("inside", None).await,
            site.network("lan", Some("br0")).await,
        );
        let (status, body) = scheduler.post("/claims", ask("a", json!({ "networks": [nat] }))).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let (_, refusal) = scheduler
            .post("/claims", ask("b", json!({ "networks": [nat, lan] })))
            .await;
        assert_eq!(
            refusal["detail"],
            "no host fits: of 1 host, 1 did not match the tags; \
             nearest: host h1: tags: needs network lan (host tag `bridge:br0`), has no such tag"
        );
        let tagged = site.host("h2", 4, 4 * GIB, "[\"bridge:br0\",\"rack=a\"]").await;
        let (_, claims) = scheduler
            .post("/claims", ask("b", json!({ "networks": [nat, lan] })))
            .await;
        assert_eq!(claims["placements"][0]["host"], json!(tagged.id));
    }
}

#[tokio::test]
async fn dry_runs_and_forecasts_leave_nothing() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        let host = site.host("h1", 4, 8 * GIB, "[]").await;
        let mut wanted = ask("a", json!({ "vcpus": 2, "disks": [{ "size": "10G" }] }));
        wanted["dry_run"] = json!(true);
        for _ in 0..3 {
            let (status, plan) = scheduler.post("/claims", wanted.clone()).await;
            assert_eq!(status, StatusCode::OK, "{plan}");
            let placement = &plan["placements"][0];
            assert_eq!(
                (&placement["host"], &placement["host_name"]),
                (&json!(host.id), &json!("h1"))
            );
            assert_eq!(
                placement["storages"],
                json!([{ "storage": host.storage, "name": "local" }])
            );
            assert_eq!(plan["explanation"], "1 host fits: of 1 host, none was ruled out");
        }
        let (_, forecast) = scheduler.post("/forecast", json!({ "vcpus": 2 })).await;
        assert_eq!(
            forecast,
            json!({ "total": 2, "hosts": [{ "host": host.id, "name": "h1", "more": 2 }] })
        );
        assert_eq!(scheduler.get("/claims").await["items"], json!([]));
        assert_eq!(site.number("SELECT vcpus_used FROM host").await, 0);
    }
}

#[tokio::test]
async fn only_services_and_administrators_get_in() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        site.host("h1", 64, 64 * GIB, "[]").await;
        let routes = [
            (Method::POST, "/claims", ask("a", json!({}))),
            (Method::DELETE, "/claims?token=t-a", Value::Null),
            (
                Method::POST,
                "/claims/resize",
                json!({ "consumer": "server/a", "token": "r" }),
            ),
            (Method::GET, "/claims", Value::Null),
            (Method::GET, "/claims/check", Value::Null),
            (Method::POST, "/claims/repair", Value::Null),
            (Method::POST, "/forecast", json!({})),
        ];
        for (method, path, body) in routes {
            for (token, status) in [("", 401), ("member", 403), ("manager", 403)] {
                let answer = scheduler.as_(token).call(method.clone(), path, body.clone()).await;
                assert_eq!(answer.0.as_u16(), status, "{method} {path} as `{token}`: {}", answer.1);
            }
        }
        let (status, _) = scheduler.as_("admin").post("/claims", ask("a", json!({}))).await;
        assert_eq!(status, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        let who = json!({ "consumer": "server/a", "token": "t" });
        let odd = [
            json!({ "consumers": [], "request": { "count": 0 } }),
            json!({ "consumers": [who], "request": { "count": 2 } }),
            json!({ "consumers": [who, who], "request": { "count": 2 } }),
            json!({ "consumers": [{ "consumer": "a", "token": "t" }], "request": {} }),
            json!({ "consumers": [{ "consumer": "server/a", "token": "" }], "request": {} }),
            json!({ "consumers": [who], "request": { "cpus": 2 } }),
            json!({ "consumers": [{ "consumer": "server/a", "token": "t", "disks": ["disk/a"] }], "request": {} }),
        ];
        for body in odd {
            let (status, answer) = scheduler.post("/claims", body.clone()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {answer}");
        }
        for path in ["/claims", "/claims?host=h", "/claims?token=a&consumer=b"] {
            let (status, _) = scheduler.call(Method::DELETE, path, Value::Null).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        }
    }
}

#[test]
fn every_operation_is_described_once() {
    let document = web::docs::document("scheduler", "", scheduler::operations());
    let document = serde_json::to_value(document).unwrap();
    let of = |path: &str| {
        document["paths"][path]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(of("/claims"), ["delete", "get", "post"]);
    assert_eq!(of("/claims/resize"), ["post"]);
    assert_eq!(of("/forecast"), ["post"]);
    for schema in ["Claim", "ClaimAsk", "PlacementRequest", "PlacementDisk", "Forecast"] {
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
}
