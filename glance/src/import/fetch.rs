//! Reading a URL for an import: every redirect is guarded anew, and only the addresses that were guarded are used.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use reqwest::{Client, Response, header, redirect::Policy};
use types::{Error, Result};

use crate::{
    Options, content,
    import::guard::{self, Target},
};

const HOPS: usize = 5;
const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(60);

/// The body of the URL, after at most five redirects.
pub async fn open(options: &Options, url: &str) -> Result<BoxStream<'static, Result<Bytes, reqwest::Error>>> {
    let mut url = url.to_owned();
    for _ in 0..=HOPS {
        let target = guard::check(options, &url).await?;
        let response = ask(&target).await?;
        match next(&target, &response)? {
            Some(elsewhere) => url = elsewhere,
            None => return body(options, response),
        }
    }
    Err(Error::invalid(format!("the URL is redirected more than {HOPS} times")).code("bad_url"))
}

async fn ask(target: &Target) -> Result<Response> {
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .resolve_to_addrs(&target.host, &target.addresses)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
        .map_err(|e| Error::broken("an HTTP client cannot be made").because(e))?;
    let response = client.get(target.url.clone()).send().await;
    response.map_err(|e| Error::unavailable(format!("`{}` cannot be read", target.url)).because(e.without_url()))
}

fn next(target: &Target, response: &Response) -> Result<Option<String>> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let wrong = || Error::invalid(format!("`{}` is redirected to nowhere", target.url)).code("bad_url");
    let to = response
        .headers()
        .get(header::LOCATION)
        .and_then(|to| to.to_str().ok())
        .ok_or_else(wrong)?;
    let to = target.url.join(to).map_err(|_| wrong())?;
    Ok(Some(to.to_string()))
}

fn body(options: &Options, response: Response) -> Result<BoxStream<'static, Result<Bytes, reqwest::Error>>> {
    let status = response.status();
    if !status.is_success() {
        return Err(Error::invalid(format!("`{}` answers {status}", response.url())).code("bad_url"));
    }
    if response
        .content_length()
        .is_some_and(|length| length > options.max_size)
    {
        return Err(content::too_big(options.max_size));
    }
    Ok(response.bytes_stream().boxed())
}
