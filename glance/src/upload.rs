//! `PUT /file` and `PUT /stage`: an image's content, whole or in pieces that follow each other.
//!
//! A piece carries `Content-Range: bytes FIRST-LAST/TOTAL`, as everywhere in HTTP. Every answer about an image without
//! content carries `Upload-Offset`: the byte to go on from, after a piece, a lost connection or a crash.

use axum::{
    body,
    extract::{Path, Request, State as AxumState},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use futures::StreamExt;
use types::{Error, Kind, Result, Size};
use web::Caller;

use crate::{
    App, State,
    backend::dir::blocking,
    content,
    fault::{Answer, Fault},
    find,
    image::{self, Status},
    lease,
    spool::{self, Spool, Start},
};

pub const OFFSET: &str = "upload-offset";

pub async fn file(cx: Caller, AxumState(state): App, Path(id): Path<String>, request: Request) -> Answer {
    accept(cx, state, id, request, Status::Active).await
}

pub async fn stage(cx: Caller, AxumState(state): App, Path(id): Path<String>, request: Request) -> Answer {
    accept(cx, state, id, request, Status::Uploading).await
}

async fn accept(cx: Caller, state: State, id: String, request: Request, to: Status) -> Answer {
    let image = find::owned(&state, &cx, "upload", &id).await?.into_inner();
    let headers = request.headers();
    octets(headers)?;
    let piece = Piece::read(headers)?;
    afford(&state, &image, piece.total.or(length(headers))).await?;
    let body = request.into_body();
    let upload = Upload {
        cx: cx.0,
        state,
        image,
        piece,
        to,
    };
    // A task of its own: what has been received is kept even when the client does not wait for the answer.
    let done = tokio::spawn(upload.run(body)).await;
    done.unwrap_or_else(|e| Err(Error::broken("the upload stopped half-way").because(e).into()))
}

struct Upload {
    cx: auth::Cx,
    state: State,
    image: image::Model,
    piece: Piece,
    to: Status,
}

impl Upload {
    async fn run(self, body: body::Body) -> Answer {
        let state = &self.state;
        let image = lease::take(state, self.image.clone(), Status::Queued, Status::Saving).await?;
        let done = lease::hold(state, &image, self.receive(&image, body)).await;
        // What is spooled belongs to whoever has the lease; what can be resumed is kept.
        let spent = matches!(&done, Err(e) if !["wrong_offset", "busy", "lease_lost"].contains(&e.code.as_str()));
        if spent {
            content::discard(state, &image).await;
        }
        if !matches!(done, Ok(Done::Settled)) {
            lease::give_back(state, &image).await;
        }
        match done {
            Ok(Done::Settled) => Ok(StatusCode::NO_CONTENT.into_response()),
            Ok(Done::Kept(offset)) => Ok((StatusCode::ACCEPTED, [(OFFSET, offset.to_string())]).into_response()),
            Ok(Done::Cut(offset, why)) => Err(Fault::from(why).with_header(OFFSET, offset)),
            Err(error) => Err(match error.details["offset"].as_u64() {
                Some(offset) => Fault::from(error).with_header(OFFSET, offset),
                None => error.into(),
            }),
        }
    }

    async fn receive(&self, image: &image::Model, body: body::Body) -> Result<Done> {
        let state = &self.state;
        let (dir, id, start) = (state.spool.clone(), image.id.clone(), self.piece.start);
        let spool = blocking(move || Spool::open(&dir, &id, start)).await?;
        let stream = body.into_data_stream().boxed();
        let (mut spool, cut) = content::receive(state, spool, stream).await?;
        let offset = spool.offset();
        let cut = cut.or_else(|| self.piece.misfit(offset));
        if cut.is_none() && self.piece.is_last(offset) {
            content::settle(state, &self.cx, image, spool, self.to).await?;
            content::discard(state, image).await;
            return Ok(Done::Settled);
        }
        blocking(move || spool.mark()).await?;
        Ok(match cut {
            Some(why) => Done::Cut(offset, why),
            None => Done::Kept(offset),
        })
    }
}

enum Done {
    /// The image has its content.
    Settled,
    /// A piece is on disk.
    Kept(u64),
    /// Less came than was announced.
    Cut(u64, Error),
}

/// Which part of the content a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    start: Start,
    /// One past the last byte, when announced.
    end: Option<u64>,
    total: Option<u64>,
    /// Without a range, the request carries everything.
    whole: bool,
}

impl Piece {
    fn read(headers: &HeaderMap) -> Result<Self> {
        match headers.get(header::CONTENT_RANGE) {
            Some(range) => Self::parse(range.to_str().unwrap_or_default()),
            None => Ok(Self {
                start: Start::Anew,
                end: length(headers),
                total: None,
                whole: true,
            }),
        }
    }

    /// `bytes 0-99/200`; `*` for a total that is not known yet.
    fn parse(text: &str) -> Result<Self> {
        let parts = || {
            let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
            let (first, last) = range.split_once('-')?;
            let (first, end) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?.checked_add(1)?);
            let total = match total {
                "*" => None,
                total => Some(total.parse::<u64>().ok()?),
            };
            (first < end && total.is_none_or(|total| end <= total)).then_some((first, end, total))
        };
        let (first, end, total) = parts().ok_or_else(|| {
            Error::invalid(format!(
                "`{text}` is not a Content-Range: write bytes FIRST-LAST/TOTAL, for example bytes 0-99/200"
            ))
        })?;
        Ok(Self {
            start: Start::At(first),
            end: Some(end),
            total,
            whole: false,
        })
    }

    /// Why what came is not what was announced.
    fn misfit(&self, offset: u64) -> Option<Error> {
        let end = self.end.filter(|end| *end != offset)?;
        Some(Error::invalid(format!(
            "the request announced bytes up to {end} and brought them up to {offset}"
        )))
    }

    fn is_last(&self, offset: u64) -> bool {
        self.whole || self.total == Some(offset)
    }
}

fn octets(headers: &HeaderMap) -> Answer<()> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if kind == "application/octet-stream" {
        return Ok(());
    }
    let error = Error::invalid(format!("content is sent as application/octet-stream, not as `{kind}`"));
    Err(Fault::with_status(error, StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses early what the transaction at the end would refuse. It decides; this saves the transfer.
async fn afford(state: &State, image: &image::Model, size: Option<u64>) -> Result<()> {
    let Some(size) = size else {
        return Ok(());
    };
    if size > state.options.max_size {
        return Err(content::too_big(state.options.max_size));
    }
    let gib = Size::bytes(size).gib_up();
    let quotas = state.store.quotas(&image.project_id).await?;
    let held = quotas
        .iter()
        .find(|quota| quota.resource == "image_gib" && quota.max >= 0);
    match held {
        Some(quota) if quota.used + gib > quota.max => Err(Error::new(
            Kind::Quota,
            format!(
                "the project's quota of image_gib is {} and {} are used: {gib} more do not fit",
                quota.max, quota.used
            ),
        )),
        _ => Ok(()),
    }
}

/// Where the upload of an image without content stands.
pub fn offset(state: &State, image: &image::Model) -> u64 {
    spool::offset(&state.spool, &image.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_strictly() {
        let piece = Piece::parse("bytes 100-199/300").unwrap();
        assert_eq!(
            (piece.start, piece.end, piece.total),
            (Start::At(100), Some(200), Some(300))
        );
        assert!(!piece.is_last(200) && piece.is_last(300));
        assert_eq!(piece.misfit(200), None);
        assert_eq!(
            piece.misfit(150).unwrap().message,
            "the request announced bytes up to 200 and brought them up to 150"
        );
        assert_eq!(Piece::parse("bytes 0-0/*").unwrap().total, None);
        for text in [
            "",
            "bytes */200",
            "bytes 5-4/9",
            "bytes 0-9/9",
            "items 0-1/2",
            "bytes 0-18446744073709551615/*",
        ] {
            assert!(Piece::parse(text).is_err(), "{text}");
        }
    }
}
