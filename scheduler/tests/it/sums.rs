//! Release, resize, check and repair: what is in use stays the sum of the claims.

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::site::{GIB, Site, ask, sites};

async fn used(site: &Site) -> (i64, i64, i64) {
    let vcpus = site.number("SELECT CAST(SUM(vcpus_used) AS BIGINT) FROM host").await;
    let memory = site.number("SELECT CAST(SUM(memory_used) AS BIGINT) FROM host").await;
    let disk = site.number("SELECT CAST(SUM(claimed) AS BIGINT) FROM storage").await;
    (vcpus, memory / GIB, disk / GIB)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_is_released_once() {
    for site in sites().await {
        let (one, other) = (site.scheduler().await, site.scheduler().await);
        site.host("h1", 8, 8 * GIB, "[]").await;
        let request = json!({ "vcpus": 2, "memory": "2G", "disks": [{ "size": "10G" }] });
        for name in ["a", "b"] {
            assert_eq!(one.post("/claims", ask(name, request.clone())).await.0, StatusCode::OK);
        }
        let releases = (0..8).map(|i| {
            let scheduler = [&one, &other][i % 2].clone();
            let what = ["consumer=server/a", "token=t-a"][i / 2 % 2];
            tokio::spawn(async move { scheduler.release(what).await })
        });
        for status in join_all(releases).await {
            assert_eq!(status.unwrap(), StatusCode::NO_CONTENT);
        }
        assert_eq!(used(&site).await, (2, 2, 10));
        assert_eq!(one.release("token=t-a").await, StatusCode::NO_CONTENT);
        one.assert_sums().await;
    }
}

#[tokio::test]
async fn a_disk_outlives_its_server() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        site.host("h1", 8, 8 * GIB, "[]").await;
        let consumer = json!({ "consumer": "server/a", "token": "t", "disks": ["disk/root", "disk/data"] });
        let request = json!({ "vcpus": 2, "memory": "2G", "disks": [{ "size": "10G" }, { "size": "20G" }] });
        let (status, body) = scheduler
            .post("/claims", json!({ "consumers": [consumer], "request": request }))
            .await;
        assert_eq!(status, StatusCode::OK, "{body}");
        scheduler.release("consumer=server/a").await;
        scheduler.release("consumer=disk/root").await;
        assert_eq!(used(&site).await, (0, 0, 20));
        let left = &scheduler.get("/claims").await["items"];
        assert_eq!(left.as_array().unwrap().len(), 1);
        assert_eq!(
            (&left[0]["consumer"], &left[0]["disk"]),
            (&json!("disk/data"), &json!(20 * GIB))
        );
        scheduler.release("token=t").await;
        assert_eq!(used(&site).await, (0, 0, 0));
    }
}

#[tokio::test]
async fn a_claim_grows_in_place_or_says_what_is_missing() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        site.host("h1", 8, 8 * GIB, "[]").await;
        let request = json!({ "vcpus": 2, "memory": "2G", "disks": [{ "size": "10G" }] });
        scheduler.post("/claims", ask("a", request.clone())).await;
        scheduler.post("/claims", ask("b", request)).await;
        let resize = |token: &str, more: Value| {
            let mut body = json!({ "consumer": "server/a", "token": token });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let scheduler = scheduler.clone();
            async move { scheduler.post("/claims/resize", body).await }
        };
        for _ in 0..2 {
            let (status, body) = resize("r1", json!({ "vcpus": 6, "memory": "4G" })).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            assert_eq!(body["claims"].as_array().unwrap().len(), 2);
            assert_eq!(used(&site).await, (8, 6, 20));
        }
        let (status, refusal) = resize("r2", json!({ "vcpus": 7, "memory": "16G" })).await;
        assert_eq!(
            (status, &refusal["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("no_room"))
        );
        assert_eq!(
            refusal["detail"],
            "host h1 has no room for this size: it needs 1 more vcpus and has 0 free; \
             it needs 12G more memory and has 2G free"
        );
        assert_eq!(
            resize("r3", json!({ "vcpus": 1, "memory": "1G" })).await.0,
            StatusCode::OK
        );
        assert_eq!(resize("r4", json!({ "disk": "50G" })).await.0, StatusCode::OK);
        assert_eq!(used(&site).await, (3, 3, 60));
        let (_, refusal) = resize("r5", json!({ "disk": "95G" })).await;
        assert_eq!(
            refusal["detail"],
            "storage local has no room for this size: it needs 45G more and has 40G free"
        );
        let (status, _) = scheduler
            .post(
                "/claims/resize",
                json!({ "consumer": "server/none", "token": "r", "vcpus": 1 }),
            )
            .await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        scheduler.assert_sums().await;
    }
}

#[tokio::test]
async fn a_wrong_sum_is_found_and_repaired() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        let host = site.host("h1", 8, 8 * GIB, "[]").await;
        scheduler
            .post("/claims", ask("a", json!({ "vcpus": 2, "disks": [{ "size": "10G" }] })))
            .await;
        site.sql("UPDATE host SET vcpus_used = 7").await;
        site.sql("UPDATE storage SET claimed = 0").await;
        let expected = json!([
            { "host": host.id, "name": "h1", "column": "vcpus_used", "stored": 7, "summed": 2 },
            { "storage": host.storage, "name": "local", "column": "claimed", "stored": 0, "summed": 10 * GIB },
        ]);
        assert_eq!(scheduler.get("/claims/check").await["items"], expected);
        assert_eq!(scheduler.post("/claims/repair", Value::Null).await.1["items"], expected);
        assert_eq!(used(&site).await, (2, 0, 10));
        scheduler.assert_sums().await;
    }
}

#[tokio::test]
async fn claims_are_listed_page_by_page() {
    for site in sites().await {
        let scheduler = site.scheduler().await;
        site.host("h1", 8, 8 * GIB, "[]").await;
        for i in 0..5 {
            scheduler.post("/claims", ask(&format!("s{i}"), json!({}))).await;
        }
        let mut seen = Vec::new();
        let mut path = "/claims?limit=2&sort=created_at".to_owned();
        loop {
            let page = scheduler.get(&path).await;
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|item| item["consumer"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => path = format!("/claims?limit=2&sort=created_at&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, ["server/s0", "server/s1", "server/s2", "server/s3", "server/s4"]);
        let one = scheduler.get("/claims?consumer=server/s3").await;
        assert_eq!(one["items"][0]["token"], "t-s3");
    }
}
