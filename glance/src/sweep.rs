//! The reconciler of images: takes up or puts back what died half-way, and removes what nothing refers to.
//! Takes no input; running it in several replicas at once is harmless.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use auth::Cx;
use sea_orm::{QueryFilter, QuerySelect, entity::prelude::*};
use types::{ImageId, Result, Timestamp};

use crate::{
    State,
    backend::dir::{blocking, fault},
    blob,
    image::{self, Column, Status},
    import, lease, spool,
};

/// What one sweep does at most; the next goes on.
const BATCH: u64 = 500;
/// How long an upload that nobody resumes is kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads whose writer died: their images wait for content again.
    pub uploads: usize,
    /// Imports whose process died: they run again.
    pub imports: usize,
    pub blobs: usize,
    pub spools: usize,
}

pub async fn sweep(cx: &Cx, state: &State) -> Result<Swept> {
    Ok(Swept {
        uploads: uploads(state).await?,
        imports: imports(cx, state).await?,
        blobs: blobs(state).await?,
        spools: spools(state).await?,
    })
}

async fn abandoned(state: &State, status: Status) -> Result<Vec<image::Model>> {
    let over = image::Entity::find()
        .filter(Column::Status.eq(status.as_str()))
        .filter(Column::LeaseUntil.lt(Timestamp::now()));
    state.store.all(over.limit(BATCH)).await
}

async fn uploads(state: &State) -> Result<usize> {
    let mut count = 0;
    for image in abandoned(state, Status::Saving).await? {
        let tx = state.store.begin().await?;
        count += usize::from(lease::end(&tx, &image, Status::Queued).await?);
        tx.commit().await?;
    }
    Ok(count)
}

async fn imports(cx: &Cx, state: &State) -> Result<usize> {
    let mut count = 0;
    for image in abandoned(state, Status::Importing).await? {
        let id = image.id.clone();
        match import::resume(cx, state, image).await {
            Ok(()) => count += 1,
            // Another replica was faster, or the image is gone: either way it is not ours.
            Err(error) => tracing::debug!(error = error.chain(), image = %id, "an import was not taken up"),
        }
    }
    Ok(count)
}

/// Contents marked for removal, and contents whose storing died with its lease.
async fn blobs(state: &State) -> Result<usize> {
    let unsettled = blob::Entity::find().filter(blob::Column::State.is_in([blob::STORING, blob::DELETING]));
    let mut count = 0;
    for blob in state.store.all(unsettled.limit(BATCH)).await? {
        if blob.state == blob::STORING && is_being_stored(state, &blob).await? {
            continue;
        }
        blob::abandon(state, &blob.id).await?;
        count += usize::from(blob::remove(state, &blob.id).await?);
    }
    Ok(count)
}

async fn is_being_stored(state: &State, blob: &blob::Model) -> Result<bool> {
    let writer = image::Entity::find()
        .filter(Column::Id.eq(blob.image_id.as_str()))
        .filter(Column::Lease.eq(blob.lease.as_str()))
        .filter(Column::LeaseUntil.gte(Timestamp::now()));
    Ok(state.store.count(writer).await? > 0)
}

/// Spool files of images that are gone or have their content, and of uploads nobody came back to.
async fn spools(state: &State) -> Result<usize> {
    let dir = state.spool.clone();
    let mut count = 0;
    for (id, age) in blocking(move || spooled(&dir)).await? {
        let image = state.store.one(image::Entity::find_by_id(id.clone())).await?;
        let wanted = image.is_some_and(|image| {
            let waits = image.status == Status::Queued && age < KEPT;
            waits || matches!(image.status, Status::Saving | Status::Importing)
        });
        if !wanted {
            let dir = state.spool.clone();
            blocking(move || spool::discard(&dir, &id)).await?;
            count += 1;
        }
    }
    Ok(count)
}

/// The images something is spooled for, and how long ago it was last written.
fn spooled(dir: &Path) -> Result<Vec<(ImageId, Duration)>> {
    let failed = |e| fault("looking into the spool", dir, e);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)?.flatten() {
        let path: PathBuf = entry.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_part = path.extension().is_some_and(|extension| extension == "part");
        let (true, Ok(id), Ok(meta)) = (is_part, stem.parse(), entry.metadata()) else {
            continue;
        };
        let written = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        found.push((id, written.elapsed().unwrap_or_default()));
    }
    Ok(found)
}
