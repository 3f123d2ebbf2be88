//! `GET /v2/images/{id}/file`: the content, whole or a range of it, as a stream.

use std::ops::Range;

use auth::Reach;
use axum::{
    body::Body,
    extract::{Path, State as AxumState},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sea_orm::EntityTrait;
use types::{Error, Result};
use web::Caller;

use crate::{
    App, State, blob,
    fault::{Answer, Fault},
    find,
    image::{self, NOUN, Status},
    upload,
};

pub async fn file(cx: Caller, AxumState(state): App, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let image = find::readable(&state, &cx, "download", &id).await?.into_inner();
    match image.status {
        Status::Active => {}
        Status::Deactivated if cx.reach(NOUN, "download") == Reach::Everything => {}
        Status::Deactivated => {
            return Err(Error::denied(format!("the content of image `{id}` is closed: it is deactivated")).into());
        }
        _ => return Ok(nothing(&state, &image)),
    }
    let size = u64::try_from(image.size).unwrap_or_default();
    let tag = format!("\"{}\"", image.digest);
    if header(&headers, header::IF_NONE_MATCH).is_some_and(|known| known == "*" || known.contains(&tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let unchanged = header(&headers, header::IF_RANGE).is_none_or(|known| known == tag);
    let asked = header(&headers, header::RANGE).filter(|_| unchanged);
    let part = match asked.map(|text| range(text, size)) {
        None | Some(Asked::Whole) => None,
        Some(Asked::Part(part)) => Some(part),
        Some(Asked::Beyond) => return Err(unsatisfiable(size)),
    };
    let body = content(&state, &image, part.clone().unwrap_or(0..size)).await?;
    let mut response = body.into_response();
    put(response.headers_mut(), header::ETAG, &tag);
    label(&mut response, &image, size, part);
    Ok(response)
}

fn label(response: &mut Response, image: &image::Model, size: u64, part: Option<Range<u64>>) {
    let fields = response.headers_mut();
    put(fields, header::CONTENT_TYPE, "application/octet-stream");
    put(fields, header::ACCEPT_RANGES, "bytes");
    let length = part.clone().map_or(size, |part| part.end - part.start);
    put(fields, header::CONTENT_LENGTH, &length.to_string());
    let Some(part) = part else {
        return put(fields, header::HeaderName::from_static("content-md5"), &image.checksum);
    };
    let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
    put(fields, header::CONTENT_RANGE, &range);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
}

async fn content(state: &State, image: &image::Model, range: Range<u64>) -> Result<Body> {
    let lost = || Error::broken(format!("the content of image `{}` is not recorded", image.id));
    let blob = blob::Entity::find_by_id(image.blob_id.clone().ok_or_else(lost)?);
    let blob = state.store.one(blob).await?.ok_or_else(lost)?;
    Ok(Body::from_stream(state.backend.read(&blob.key(), range).await?))
}

/// No content yet; where its upload can go on.
fn nothing(state: &State, image: &image::Model) -> Response {
    let offset = upload::offset(state, image).to_string();
    (StatusCode::NO_CONTENT, [(upload::OFFSET, offset)]).into_response()
}

fn header(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn put(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn unsatisfiable(size: u64) -> Fault {
    let error = Error::invalid(format!("the range lies beyond the image's {size} bytes"));
    let fault = Fault::with_status(error, StatusCode::RANGE_NOT_SATISFIABLE);
    match HeaderValue::from_str(&format!("bytes */{size}")) {
        Ok(value) => fault.with_header("content-range", value),
        Err(_) => fault,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// Also for what HTTP lets a server ignore: other units, several ranges, nonsense.
    Whole,
    Part(Range<u64>),
    Beyond,
}

fn range(text: &str, size: u64) -> Asked {
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Asked::Whole;
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(last)) if first.is_empty() => size.saturating_sub(last)..size,
        _ => return Asked::Whole,
    };
    if range.start >= size || range.is_empty() {
        return Asked::Beyond;
    }
    Asked::Part(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        for (text, asked) in [
            ("bytes=0-9", Asked::Part(0..10)),
            ("bytes=90-", Asked::Part(90..100)),
            ("bytes=-10", Asked::Part(90..100)),
            ("bytes=-200", Asked::Part(0..100)),
            ("bytes=50-500", Asked::Part(50..100)),
            ("bytes=100-", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=9-0", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("lines=0-1", Asked::Whole),
        ] {
            assert_eq!(range(text, 100), asked, "{text}");
        }
    }
}
