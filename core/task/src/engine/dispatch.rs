//! d
pub(super) async fn run(_: &std::sync::Arc<super::Shared>, shutdown: tokio_util::sync::CancellationToken) {
    shutdown.cancelled().await
}
