//! Content from the wire into the backend: spool, probe, store once, then one transaction that shows it.
//! Uploads and imports differ only in where the bytes come from and what the image becomes.

use std::time::Duration;

use auth::Cx;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use sea_orm::entity::prelude::*;
use tokio::sync::mpsc;
use types::{Error, Kind, Result, Size};

use crate::{
    State,
    backend::dir::blocking,
    blob,
    image::{self, Column, Status},
    lease,
    probe::{self, Probed},
    spool::{self, Sealed, Spool},
};

/// Frames in memory between the network and the disk.
const FRAMES: usize = 4;
/// A sender that says nothing for this long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Writes what comes into the spool. The second value says why the stream ended early, if it did.
pub async fn receive<S, E>(state: &State, mut spool: Spool, mut stream: S) -> Result<(Spool, Option<Error>)>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error,
{
    let (frames, mut arriving) = mpsc::channel::<Bytes>(FRAMES);
    let most = state.options.max_size;
    let writer = blocking(move || {
        while let Some(frame) = arriving.blocking_recv() {
            if spool.offset() + frame.len() as u64 > most {
                return Err(too_big(most));
            }
            spool.write(&frame)?;
        }
        Ok(spool)
    });
    let reader = async move {
        loop {
            match tokio::time::timeout(SILENCE, stream.next()).await {
                Ok(None) => return None,
                // When the writer has failed, its own error is the one that counts.
                Ok(Some(Ok(frame))) => frames.send(frame).await.ok()?,
                Ok(Some(Err(e))) => return Some(Error::invalid("the content broke off in the middle").because(e)),
                Err(_) => {
                    return Some(Error::new(
                        Kind::Timeout,
                        "no content came for 60 s: the upload was cut off",
                    ));
                }
            }
        }
    };
    let (spool, cut) = tokio::join!(writer, reader);
    Ok((spool?, cut))
}

pub fn too_big(most: u64) -> Error {
    let most = Size::bytes(most);
    Error::new(
        Kind::Quota,
        format!("the content is larger than {most}, which is the most an image may have"),
    )
    .code("image_too_big")
}

/// A complete content becomes the image's, which becomes `to`. Takes the lease's end with it.
///
/// Errors: `Invalid` when it is not what was claimed, `Quota`, `Conflict` when the lease was lost. Nothing is left then.
pub async fn settle(state: &State, cx: &Cx, image: &image::Model, spool: Spool, to: Status) -> Result<()> {
    let sealed = blocking(move || spool.seal()).await?;
    let probed = probe::probe(&sealed.path, &image.disk_format, state.options.probe).await?;
    let content = Content { sealed, probed };
    if commit(state, cx, image, &content, to, None).await? {
        return Ok(());
    }
    let size = i64::try_from(content.sealed.size).unwrap_or(i64::MAX);
    let row = blob::begin(state, image, &content.sealed.sha512, size).await?;
    let stored = state.backend.put(&row.key(), &content.sealed.path).await;
    let shown = match stored {
        Ok(()) => match commit(state, cx, image, &content, to, Some(&row.id)).await {
            // Another upload made the same content ready at this moment: now it can be shared.
            Err(error) if error.code == "name_taken" => commit(state, cx, image, &content, to, None).await,
            shown => shown,
        },
        Err(error) => Err(error),
    };
    // Whatever was stored and is not shown goes away, now or in a later sweep.
    if blob::abandon(state, &row.id).await? {
        blob::remove(state, &row.id).await?;
    }
    shown.map(drop)
}

struct Content {
    sealed: Sealed,
    probed: Probed,
}

/// The transaction of intent: content counted, quota charged, image shown, event written.
/// False when the content is not in the backend yet and `stored` names nothing.
async fn commit(
    state: &State,
    cx: &Cx,
    image: &image::Model,
    content: &Content,
    to: Status,
    stored: Option<&str>,
) -> Result<bool> {
    let mut tx = state.store.begin().await?;
    let blob = match (blob::share(&tx, &content.sealed.sha512).await?, stored) {
        (Some(shared), _) => shared,
        (None, None) => return Ok(false),
        (None, Some(id)) if blob::finish(&tx, id).await? => id.to_owned(),
        (None, Some(_)) => return Err(lease::lost(image)),
    };
    let gib = Size::bytes(content.sealed.size).gib_up();
    tx.charge(&image.project_id, &[("image_gib", gib)]).await?;
    let filled = lease::held(image)
        .col_expr(Column::Size, Expr::value(Size::bytes(content.sealed.size)))
        .col_expr(
            Column::VirtualSize,
            Expr::value(Size::bytes(content.probed.virtual_size)),
        )
        .col_expr(Column::Checksum, Expr::value(content.sealed.md5.as_str()))
        .col_expr(Column::Digest, Expr::value(content.sealed.sha512.as_str()))
        .col_expr(Column::BlobId, Expr::value(blob))
        .col_expr(Column::ChargedGib, Expr::value(gib))
        .col_expr(Column::ImportFrom, Expr::value(""))
        .col_expr(Column::DiskFormat, Expr::value(content.probed.format))
        .col_expr(Column::ContainerFormat, Expr::value("bare"));
    if tx.update(filled).await? == 0 || !lease::end(&tx, image, to).await? {
        return Err(lease::lost(image));
    }
    let shown = image::Model {
        status: to,
        ..image.clone()
    };
    tx.event(cx, shown.event(to.as_str())).await?;
    tx.commit().await?;
    Ok(true)
}

/// Forgets what was spooled for an image; what cannot be removed now is removed in a later sweep.
pub async fn discard(state: &State, image: &image::Model) {
    let (dir, id) = (state.spool.clone(), image.id.clone());
    if let Err(error) = blocking(move || spool::discard(&dir, &id)).await {
        tracing::warn!(error = error.chain(), image = %image.id, "a spool file stays until it is swept");
    }
}
