//! A large sparse upload through a real socket: memory stays bounded and holes stay holes.

use std::os::unix::fs::MetadataExt;

use axum::body::Bytes;

use crate::world::{MEMBER, World, raw};

const SIZE: u64 = 2 << 30;
const CHUNK: usize = 1 << 20;

/// The most memory this process ever had resident, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sparse_upload_stays_small_in_memory_and_on_disk() {
    let world = World::new().await;
    let base = world.listen().await;
    let id = world.create(MEMBER, raw("sparse")).await;
    let zeros = Bytes::from(vec![0u8; CHUNK]);
    let mut first = vec![0u8; CHUNK];
    first[510..512].copy_from_slice(b"\x55\xaa");
    let chunks = std::iter::once(Bytes::from(first)).chain(std::iter::repeat(zeros));
    let chunks = chunks
        .take(usize::try_from(SIZE).unwrap() / CHUNK)
        .map(Ok::<_, std::io::Error>);
    let client = reqwest::Client::new();
    let sent = client
        .put(format!("{base}/image/v2/images/{id}/file"))
        .header("x-auth-token", MEMBER)
        .header("content-type", "application/octet-stream")
        .body(reqwest::Body::wrap_stream(futures::stream::iter(chunks)))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 204, "{}", sent.text().await.unwrap());
    let row = world.row(&id).await;
    assert_eq!((row.size, row.virtual_size), (SIZE as i64, SIZE as i64));
    let file = world.files("contents").pop().unwrap().metadata().unwrap();
    assert_eq!(file.len(), SIZE);
    assert!(file.blocks() * 512 <= 1 << 20, "{} bytes on disk", file.blocks() * 512);
    let peak = peak();
    eprintln!("{} MiB uploaded, {peak} MiB resident at most", SIZE >> 20);
    assert!(peak < 200, "{peak} MiB resident");
}
