//! Two schedulers on one database: no host is ever over-committed, no token claims twice, strict groups hold.

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::site::{Client, GIB, Site, ask, sites};

const ASKS: usize = 16;

/// All asks at once, in turn over two schedulers.
async fn storm(site: &Site, asks: Vec<Value>) -> (Vec<(StatusCode, Value)>, Client) {
    let schedulers = [site.scheduler().await, site.scheduler().await];
    let calls = asks.into_iter().enumerate().map(|(at, ask)| {
        let scheduler = schedulers[at % 2].clone();
        tokio::spawn(async move { scheduler.post("/claims", ask).await })
    });
    let answers = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    (answers, schedulers[0].clone())
}

fn granted(answers: &[(StatusCode, Value)]) -> usize {
    for (status, body) in answers {
        assert!(*status == StatusCode::OK || body["code"] == "no_host_fits", "{body}");
    }
    answers.iter().filter(|(status, _)| *status == StatusCode::OK).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_schedulers_never_overcommit() {
    for site in sites().await {
        for name in ["h1", "h2", "h3"] {
            site.host(name, 4, 64 * GIB, "[]").await;
        }
        let request = json!({ "vcpus": 1, "memory": "1G", "disks": [{ "size": "5G" }] });
        let asks = (0..ASKS).map(|i| ask(&format!("s{i}"), request.clone())).collect();
        let (answers, scheduler) = storm(&site, asks).await;
        assert_eq!(granted(&answers), 12);
        assert_eq!(
            site.number("SELECT COUNT(*) FROM host WHERE vcpus_used <= vcpus").await,
            3
        );
        assert_eq!(
            site.number("SELECT CAST(SUM(vcpus_used) AS BIGINT) FROM host").await,
            12
        );
        assert_eq!(
            site.number("SELECT CAST(SUM(claimed) AS BIGINT) FROM storage").await,
            12 * 5 * GIB
        );
        scheduler.assert_sums().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_storage_is_the_limit() {
    for site in sites().await {
        site.host("h1", 1000, 64 * GIB, "[]").await;
        let request = json!({ "vcpus": 1, "disks": [{ "size": "30G" }] });
        let asks = (0..ASKS).map(|i| ask(&format!("s{i}"), request.clone())).collect();
        let (answers, scheduler) = storm(&site, asks).await;
        assert_eq!(granted(&answers), 3);
        scheduler.assert_sums().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_token_claims_once_however_many_ask() {
    for site in sites().await {
        site.host("h1", 64, 64 * GIB, "[]").await;
        site.host("h2", 64, 64 * GIB, "[]").await;
        let asks = vec![ask("a", json!({ "vcpus": 2, "disks": [{ "size": "1G" }] })); ASKS];
        let (answers, scheduler) = storm(&site, asks).await;
        assert_eq!(granted(&answers), ASKS);
        let hosts: std::collections::BTreeSet<_> = answers
            .iter()
            .map(|(_, body)| body["placements"][0]["host"].to_string())
            .collect();
        assert_eq!(hosts.len(), 1);
        assert_eq!(site.number("SELECT CAST(SUM(vcpus_used) AS BIGINT) FROM host").await, 2);
        scheduler.assert_sums().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn strict_groups_hold_across_schedulers() {
    for site in sites().await {
        for i in 0..6 {
            site.host(&format!("h{i}"), 64, 64 * GIB, "[]").await;
        }
        for (group, rule, expected) in [("web", "apart", 6), ("db", "together", ASKS)] {
            let request = json!({ "groups": [{ "name": group, "rule": rule }] });
            let asks = (0..ASKS)
                .map(|i| ask(&format!("{group}{i}"), request.clone()))
                .collect();
            let (answers, _) = storm(&site, asks).await;
            assert_eq!(granted(&answers), expected, "{rule}");
        }
        let count = |what: &str, group: &str| format!("SELECT COUNT({what}) FROM claim_group WHERE name = '{group}'");
        assert_eq!(site.number(&count("*", "web")).await, 6);
        assert_eq!(site.number(&count("DISTINCT host_id", "web")).await, 6);
        assert_eq!(site.number(&count("DISTINCT host_id", "db")).await, 1);
    }
}
