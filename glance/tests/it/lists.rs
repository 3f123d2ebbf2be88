//! Lists: pages that neither repeat nor lose, filters, orders.

use serde_json::json;

use crate::world::{MEMBER, World};

async fn names(world: &World, query: &str) -> Vec<String> {
    let reply = world.get(MEMBER, &format!("/v2/images{query}")).await;
    assert_eq!(reply.status, 200, "{query}: {}", reply.text());
    let list = reply.json();
    let images = list["images"].as_array().unwrap();
    images
        .iter()
        .map(|image| image["name"].as_str().unwrap_or("").to_owned())
        .collect()
}

async fn filled() -> World {
    let world = World::new().await;
    for (name, format, tags, distro) in [
        ("c", "raw", json!(["web"]), "debian"),
        ("a", "qcow2", json!(["web", "db"]), "debian"),
        ("b", "raw", json!([]), "a\",\"os_distro\":\"fedora"),
        ("d", "vmdk", json!(["we"]), "fedora"),
    ] {
        let fields = json!({ "name": name, "disk_format": format, "tags": tags, "os_distro": distro });
        world.create(MEMBER, fields).await;
    }
    world
        .create(MEMBER, json!({ "name": "h", "os_hidden": true, "protected": true }))
        .await;
    world
}

#[tokio::test]
async fn filters_choose() {
    let world = filled().await;
    for (query, expected) in [
        ("", "d b a c"),
        ("?name=a", "a"),
        ("?name=in:a,%22b%22", "b a"),
        ("?disk_format=raw", "b c"),
        ("?tag=web", "a c"),
        ("?tag=web&tag=db", "a"),
        ("?status=active", ""),
        ("?status=queued&disk_format=vmdk", "d"),
        ("?os_hidden=true", "h"),
        ("?os_hidden=true&protected=true", "h"),
        ("?os_distro=debian", "a c"),
        ("?os_distro=fedora", "d"),
        ("?no_such=thing", ""),
        ("?visibility=shared", "d b a c"),
        ("?visibility=private", ""),
        ("?owner=p1", "d b a c"),
        ("?owner=p2", ""),
        ("?size_max=0", "d b a c"),
        ("?size_min=1", ""),
        ("?created_at=gt:2020-01-01T00:00:00Z", "d b a c"),
        ("?created_at=lt:2020-01-01T00:00:00Z", ""),
        ("?sort=name:asc", "a b c d"),
        ("?sort_key=name&sort_dir=desc", "d c b a"),
        ("?sort=disk_format:asc,name:desc", "a c b d"),
        ("?sort_dir=asc", "c a b d"),
    ] {
        assert_eq!(names(&world, query).await.join(" "), expected, "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other() {
    let world = filled().await;
    for sort in ["", "&sort=name:asc", "&sort=disk_format:desc,name:asc"] {
        let whole = names(&world, &format!("?limit=1000{sort}")).await;
        let (mut paged, mut query) = (Vec::new(), format!("?limit=1{sort}"));
        loop {
            paged.extend(names(&world, &query).await);
            let list = world.get(MEMBER, &format!("/v2/images{query}")).await.json();
            assert!(list["first"].as_str().unwrap().starts_with("/v2/images?limit=1"));
            match list["next"].as_str() {
                Some(next) => query = next.strip_prefix("/v2/images").unwrap().to_owned(),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{sort}");
    }
}

#[tokio::test]
async fn odd_questions_are_refused() {
    let world = World::new().await;
    for (query, sentence) in [
        ("limit=x", "limit is `x`; it must be a whole number"),
        ("marker=none", "marker `none` is not an image that you can see"),
        ("sort=colour:asc", "images are not sorted by `colour`"),
        ("sort=name:up", "`up` is not a direction: use asc or desc"),
        (
            "sort=name&sort_key=id",
            "a list is sorted by `sort`, or by `sort_key` and `sort_dir`, not by both",
        ),
        ("visibility=x", "`x` is not a visibility"),
        ("member_status=x", "`x` is not one of accepted, pending, rejected, all"),
        ("protected=x", "`protected` is true or false, not `x`"),
        ("created_at=gt:yesterday", "`yesterday` is not an RFC 3339 time"),
    ] {
        let (status, said) = world.get(MEMBER, &format!("/v2/images?{query}")).await.refusal();
        assert_eq!(status, 400, "{query}");
        assert!(said.starts_with(sentence), "{query}: {said}");
    }
}
