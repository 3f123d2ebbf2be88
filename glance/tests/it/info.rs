//! What the service says about itself: versions, schemas, methods, usage.

use serde_json::json;

use crate::world::{MEMBER, World, raw};

#[tokio::test]
async fn the_service_describes_itself() {
    let world = World::new().await;
    let reply = world.get("", "").await;
    assert_eq!(reply.status, 300);
    let versions = reply.json();
    assert_eq!(versions["versions"][0]["status"], "CURRENT");
    assert_eq!(
        versions["versions"][0]["links"][0]["href"],
        "http://cloud.test/image/v2/"
    );
    assert_eq!(world.get("", "/versions").await.status, 200);
    for schema in ["image", "images", "member", "members"] {
        let reply = world.get(MEMBER, &format!("/v2/schemas/{schema}")).await;
        assert_eq!(reply.json()["name"], schema);
    }
    assert_eq!(world.get(MEMBER, "/v2/schemas/flavour").await.status, 404);
    let methods = world.get(MEMBER, "/v2/info/import").await.json();
    assert_eq!(
        methods["import-methods"]["value"],
        json!(["glance-direct", "web-download"])
    );
    world.limit("images", 5).await;
    world.create(MEMBER, raw("x")).await;
    let usage = world.get(MEMBER, "/v2/info/usage").await.json();
    assert_eq!(usage["usage"]["image_count_total"], json!({ "limit": 5, "usage": 1 }));
}
