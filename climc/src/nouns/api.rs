//! The raw API: any request with the login of the other commands, and the token itself.

use clap::{Arg, builder::PossibleValuesParser};
use isobar_sdk::{Method, Service};
use serde_json::{Value, json};

use crate::{
    args,
    failure::Failure,
    noun::{Cx, Done, Home, Noun, Verb},
    output::{self, Format, Shape},
};

pub static API: Noun = Noun {
    name: "api",
    about: "Send any request",
    home: Home::Here,
    columns: &[],
    wide: &[],
    verbs: &[CALL],
};

const CALL: Verb = Verb {
    name: "api",
    about: "Send any request to the API, logged in",
    examples: "  climc api GET '/servers?state=running' --query items.name
  climc api POST /keypairs -d '{\"name\": \"me\", \"public_key\": \"ssh-ed25519 AAAA...\"}'
  climc api GET /users --service identity
  climc api DELETE /servers/web --curl",
    args: |c| {
        let services = PossibleValuesParser::new(["region", "identity", "image"]);
        c.arg(
            Arg::new("method")
                .required(true)
                .value_name("METHOD")
                .help("GET, POST, PUT, PATCH, DELETE"),
        )
        .arg(
            Arg::new("path")
                .required(true)
                .value_name("PATH")
                .help("Below the service's address"),
        )
        .arg(args::opt("data", "JSON", "The body; `@FILE` reads a file").short('d'))
        .arg(args::many("header", "NAME: VALUE", "A further header").short('H'))
        .arg(
            args::opt("service", "SERVICE", "Which service")
                .value_parser(services)
                .default_value("region"),
        )
        .arg(args::flag("curl", "Print the curl command instead of sending it"))
    },
    run: |cx| Box::pin(api(cx)),
};

async fn api(cx: Cx<'_>) -> Done {
    let name = cx.need("method")?.to_uppercase();
    let method =
        Method::from_bytes(name.as_bytes()).map_err(|_| Failure::usage(format!("`{name}` is not a method")))?;
    let service = match cx.text("service") {
        Some("identity") => Service::Identity,
        Some("image") => Service::Image,
        _ => Service::Region,
    };
    let mut call = cx.app.client()?.call(method.clone(), service, cx.need("path")?);
    let mut headers = Vec::new();
    for header in cx.list("header") {
        let Some((name, value)) = header.split_once(':') else {
            return Err(Failure::usage(format!(
                "`{header}` is not a header: write `Name: value`"
            )));
        };
        call = call.header(name.trim().to_lowercase(), value.trim());
        headers.push(header.clone());
    }
    let body = body(cx)?;
    if cx.flag("curl") {
        let url = call.url().await?;
        return output::write(&curl(&method, url.as_str(), &headers, body.as_ref())).map(|()| 0);
    }
    if let Some(body) = &body {
        call = call.json(body);
    }
    let reply = call.send().await?;
    match serde_json::from_slice::<Value>(&reply.body) {
        Ok(value) => show(cx, value),
        Err(_) => output::write(&String::from_utf8_lossy(&reply.body)).map(|()| 0),
    }
}

/// JSON unless another format was asked for: the answer has no columns.
fn show(cx: Cx, value: Value) -> Done {
    let mut output = cx.app.output.clone();
    if matches!(output.format, Format::Table | Format::Wide) && output.query.is_none() {
        output.format = Format::Json;
    }
    output.print(cx.noun, Shape::One, vec![value]).map(|()| 0)
}

fn body(cx: Cx) -> Result<Option<Value>, Failure> {
    let Some(data) = cx.text("data") else {
        return Ok(None);
    };
    let text = match data.strip_prefix('@') {
        Some(file) => {
            std::fs::read_to_string(file).map_err(|e| Failure::local(format!("`{file}` cannot be read"), e))?
        }
        None => data.to_owned(),
    };
    let value = serde_json::from_str(&text).map_err(|e| Failure::usage(format!("the body is not JSON: {e}")))?;
    Ok(Some(value))
}

/// Gets its token from climc, so that the command can be shared.
fn curl(method: &Method, url: &str, headers: &[String], body: Option<&Value>) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut text = format!("curl -sS -X {method} -H \"X-Auth-Token: $(climc token issue --query id)\"");
    for header in headers {
        text.push_str(&format!(" -H {}", quoted(header)));
    }
    if let Some(body) = body {
        text.push_str(&format!(
            " -H 'Content-Type: application/json' -d {}",
            quoted(&body.to_string())
        ));
    }
    format!("{text} {}\n", quoted(url))
}

pub static TOKEN: Noun = Noun {
    name: "token",
    about: "The token that requests carry",
    home: Home::Here,
    columns: &["id", "expires", "project_id", "user_id"],
    wide: &[],
    verbs: &[ISSUE],
};

const ISSUE: Verb = Verb {
    name: "issue",
    about: "Log in and print the new token",
    examples: "  export OS_TOKEN=$(climc token issue --query id)",
    args: |c| c,
    run: |cx| Box::pin(issue(cx)),
};

async fn issue(cx: Cx<'_>) -> Done {
    let session = cx.app.client()?.renew().await?;
    let about = |path: &str| session.about.pointer(path).cloned().unwrap_or_default();
    let item = json!({
        "id": session.token,
        "expires": about("/expires_at"),
        "project_id": about("/project/id"),
        "user_id": about("/user/id"),
    });
    cx.app.output.print(cx.noun, Shape::One, vec![item]).map(|()| 0)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_curl_command_can_be_pasted() {
        let body = json!({ "name": "it's" });
        expect![[r#"
            curl -sS -X POST -H "X-Auth-Token: $(climc token issue --query id)" -H 'If-Match: 3' -H 'Content-Type: application/json' -d '{"name":"it'\''s"}' 'http://h/servers?a=b'
        "#]]
        .assert_eq(&curl(&Method::POST, "http://h/servers?a=b", &["If-Match: 3".into()], Some(&body)));
    }
}
