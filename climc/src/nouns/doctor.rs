//! `climc doctor`: is everything that commands need there, and do rows and reality agree.

use isobar_sdk::{Client, Error, Method, Query, Service};
use serde_json::{Value, json};
use types::Kind;

use crate::{
    args,
    failure::{ERROR, Failure},
    noun::{Cx, Done, Home, Noun, Verb},
    output::{self, Shape, name},
};

pub static DOCTOR: Noun = Noun {
    name: "doctor",
    about: "",
    home: Home::Here,
    columns: &["check", "ok", "finding", "fix"],
    wide: &[],
    verbs: &[Verb {
        name: "doctor",
        about: "Check the login, the services, hosts, accounts and tasks; fails when something is wrong",
        examples: "  climc doctor\n  climc doctor --leaks",
        args: |c| {
            c.arg(args::flag(
                "leaks",
                "Compare rows, claims, quota and addresses with what exists on hosts and clouds",
            ))
        },
        run: |cx| Box::pin(doctor(cx)),
    }],
};

static LEAK: Noun = Noun {
    name: "leak",
    about: "",
    home: Home::Here,
    columns: &["where", "kind", "name", "id", "why"],
    wide: &[],
    verbs: &[],
};

async fn doctor(cx: Cx<'_>) -> Done {
    match cx.flag("leaks") {
        true => leaks(cx).await,
        false => examine(cx).await,
    }
}

async fn leaks(cx: Cx<'_>) -> Done {
    let call = cx.app.client()?.call(Method::GET, Service::Region, "leaks");
    let found: types::api::Items<Value> = call.timeout(std::time::Duration::from_secs(300)).receive().await?;
    let count = found.items.len();
    if count == 0 {
        cx.app.say("no difference between what is recorded and what exists")?;
        if cx.app.output.is_for_people() {
            return Ok(0);
        }
    }
    cx.app.output.print(&LEAK, Shape::Many, found.items)?;
    Ok(if count == 0 { 0 } else { ERROR })
}

/// One line of the report.
struct Finding {
    check: &'static str,
    ok: bool,
    finding: String,
    fix: String,
}

impl Finding {
    fn good(check: &'static str, finding: impl Into<String>) -> Self {
        Self {
            check,
            ok: true,
            finding: finding.into(),
            fix: String::new(),
        }
    }

    fn bad(check: &'static str, finding: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            ok: false,
            finding: finding.into(),
            fix: fix.into(),
        }
    }

    fn failed(check: &'static str, error: &Error) -> Self {
        let fix = Failure::from(error.clone()).hint.filter(|hint| hint != "climc doctor");
        Self::bad(check, error.chain(), fix.unwrap_or_default())
    }
}

async fn examine(cx: Cx<'_>) -> Done {
    let client = cx.app.client()?;
    let mut findings = vec![login(client).await];
    if findings[0].ok {
        let (region, image, hosts) = tokio::join!(ready(client), images(client), hosts(client));
        let (accounts, tasks) = tokio::join!(accounts(client), tasks(client));
        findings.extend([region, image, hosts, accounts, tasks].into_iter().flatten());
    }
    report(cx, &findings)?;
    Ok(if findings.iter().all(|finding| finding.ok) {
        0
    } else {
        ERROR
    })
}

fn report(cx: Cx, findings: &[Finding]) -> Result<(), Failure> {
    if !cx.app.output.is_for_people() {
        let rows = findings
            .iter()
            .map(|f| json!({ "check": f.check, "ok": f.ok, "finding": f.finding, "fix": f.fix }));
        return cx.app.output.print(cx.noun, Shape::Many, rows.collect());
    }
    for one in findings {
        let (word, code) = if one.ok { ("ok ", "32") } else { ("BAD", "31") };
        let mark = if cx.app.output.colour {
            format!("\x1b[{code}m{word}\x1b[0m")
        } else {
            word.to_owned()
        };
        output::write(&format!("{mark}  {:9} {}\n", one.check, one.finding))?;
        if !one.fix.is_empty() {
            output::write(&format!("               fix: {}\n", one.fix))?;
        }
    }
    Ok(())
}

async fn login(client: &Client) -> Finding {
    let url = &client.auth().auth_url;
    match client.renew().await {
        Ok(session) => {
            let who = session
                .about
                .pointer("/user/name")
                .and_then(Value::as_str)
                .unwrap_or("?");
            Finding::good("login", format!("{who} at {url}"))
        }
        Err(error) if matches!(error.kind, Kind::Unavailable | Kind::Timeout) => {
            let fix = format!("start `isobar serve`, or correct OS_AUTH_URL ({url})");
            Finding::bad("login", error.chain(), fix)
        }
        Err(error) => Finding::failed("login", &error),
    }
}

async fn ready(client: &Client) -> Option<Finding> {
    let found = match client.call(Method::GET, Service::Region, "readyz").send().await {
        Ok(_) => Finding::good("region", "ready"),
        // Not every gateway passes health checks on; the lists below tell as much.
        Err(error) if error.kind == Kind::NotFound => return None,
        Err(error) => Finding::failed("region", &error),
    };
    Some(found)
}

async fn images(client: &Client) -> Option<Finding> {
    Some(match client.images().list(&[], Some(1)).await {
        Ok(images) if images.is_empty() => Finding::bad("images", "there is none", "climc image create --help"),
        Ok(_) => Finding::good("images", "there are some"),
        Err(error) => Finding::failed("images", &error),
    })
}

/// What the caller may not see is not theirs to judge.
async fn list(client: &Client, path: &'static str, query: Query) -> Result<Option<Vec<Value>>, Error> {
    match client.any(path).list(query).all().await {
        Ok(items) => Ok(Some(items)),
        Err(error) if error.kind == Kind::Denied => Ok(None),
        Err(error) => Err(error),
    }
}

async fn hosts(client: &Client) -> Option<Finding> {
    let hosts = match list(client, "hosts", Query::new()).await {
        Ok(hosts) => hosts?,
        Err(error) => return Some(Finding::failed("hosts", &error)),
    };
    let well = |host: &&Value| matches!(host["state"].as_str(), Some("ready" | "draining" | "maintenance"));
    let ill: Vec<_> = hosts.iter().filter(|host| !well(host)).collect();
    Some(match (hosts.len(), ill.first()) {
        (0, _) => Finding::bad(
            "hosts",
            "there is none",
            "climc host join-token, or climc cloud-account create",
        ),
        (count, None) => Finding::good("hosts", format!("{count}, all well")),
        (count, Some(first)) => {
            let faults = crate::table::plain(&first["faults"]);
            let state = crate::table::plain(&first["state"]);
            let finding = format!(
                "{} of {count} are not well: {} is {state} {faults}",
                ill.len(),
                name(first)
            );
            Finding::bad("hosts", finding.trim_end(), format!("climc host show {}", name(first)))
        }
    })
}

async fn accounts(client: &Client) -> Option<Finding> {
    let failed = match list(client, "cloud-accounts", Query::new().filter("state", "failed")).await {
        Ok(accounts) => accounts?,
        Err(error) => return Some(Finding::failed("accounts", &error)),
    };
    Some(match failed.first() {
        None => Finding::good("accounts", "none failed"),
        Some(first) => {
            let finding = format!(
                "{} failed: {}: {}",
                failed.len(),
                name(first),
                crate::table::plain(&first["fault"])
            );
            Finding::bad("accounts", finding, format!("climc cloud-account sync {}", name(first)))
        }
    })
}

async fn tasks(client: &Client) -> Option<Finding> {
    let stuck = match list(client, "tasks", Query::new().filter("state", "needs_operator")).await {
        Ok(tasks) => tasks?,
        Err(error) => return Some(Finding::failed("tasks", &error)),
    };
    Some(match stuck.first() {
        None => Finding::good("tasks", "none needs an operator"),
        Some(first) => {
            let id = crate::table::plain(&first["id"]);
            Finding::bad(
                "tasks",
                format!("{} need an operator", stuck.len()),
                format!("climc task show {id}"),
            )
        }
    })
}
