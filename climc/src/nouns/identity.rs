//! Projects, users, groups and roles, kept by keystone.

use clap::Command;
use isobar_sdk::{Assignment, Target, Who};
use serde_json::{Value, json};

use crate::{
    args,
    batch::{After, Work, each, finish},
    documents,
    failure::Failure,
    generic::{DELETE_NOW, LIST, SHOW},
    noun::{Cx, Done, Home, Noun, Verb},
};

pub static PROJECT: Noun = Noun {
    name: "project",
    about: "Whom things belong to",
    home: Home::Identity,
    columns: &["name", "id", "domain_id", "enabled"],
    wide: &["description"],
    verbs: &[CREATE, LIST, SHOW, DELETE_NOW],
};

pub static USER: Noun = Noun {
    name: "user",
    about: "People and machines that log in",
    home: Home::Identity,
    columns: &["name", "id", "domain_id", "enabled"],
    wide: &["email", "default_project_id", "password_expires_at"],
    verbs: &[CREATE_USER, LIST, SHOW, DELETE_NOW],
};

pub static GROUP: Noun = Noun {
    name: "group",
    about: "Users who get the same roles",
    home: Home::Identity,
    columns: &["name", "id", "domain_id"],
    wide: &["description"],
    verbs: &[CREATE, LIST, SHOW, DELETE_NOW],
};

pub static ROLE: Noun = Noun {
    name: "role",
    about: "What users may do, and where",
    home: Home::Identity,
    columns: &["name", "id", "domain_id"],
    wide: &["description"],
    verbs: &[CREATE, LIST, SHOW, ADD, REMOVE, DELETE_NOW],
};

const CREATE: Verb = Verb {
    name: "create",
    about: "Make one",
    examples: "",
    args: create_args,
    run: |cx| Box::pin(create(cx)),
};

const CREATE_USER: Verb = Verb {
    args: |c| {
        create_args(c)
            .arg(args::opt(
                "password",
                "PASSWORD",
                "Their password; seen by others on this machine, so better use --password-stdin",
            ))
            .arg(args::flag("password-stdin", "Read the password from standard input"))
            .arg(args::opt("email", "ADDRESS", "Where to reach them"))
    },
    examples: "  pass show ann | climc user create ann --password-stdin",
    ..CREATE
};

fn create_args(command: Command) -> Command {
    args::batch(command.arg(args::new_name()))
        .arg(args::opt("domain", "DOMAIN", "In this domain, by name or id"))
        .arg(args::opt("description", "TEXT", "What it is for"))
}

async fn wanted(cx: Cx<'_>) -> Result<Value, Failure> {
    let mut body = json!({ "name": cx.need("name")? });
    if let Some(domain) = cx.text("domain") {
        body["domain_id"] = json!(cx.app.client()?.identity("domain").id(domain).await?);
    }
    if let Some(text) = cx.text("description") {
        body["description"] = json!(text);
    }
    for field in ["email", "password"] {
        if let Some(text) = cx.value::<String>(field) {
            body[field] = json!(text);
        }
    }
    if cx.flag("password-stdin") {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        read.map_err(|e| Failure::local("the password cannot be read", e))?;
        body["password"] = json!(line.trim_end_matches(['\r', '\n']));
    }
    Ok(body)
}

async fn create(cx: Cx<'_>) -> Done {
    let bodies = match cx.text("file") {
        Some(file) => documents::load(file)?,
        None => vec![wanted(cx).await?],
    };
    let client = cx.app.client()?;
    let made = each(&bodies, async |body: &Value| {
        let item = client.identity(cx.noun.name).create(body).await?;
        Ok(vec![Work::from(item)])
    });
    finish(cx, made.await, After::Changed).await
}

const ADD: Verb = Verb {
    name: "add",
    about: "Give a role",
    examples: "  climc role add member --user ann --project demo\n  climc role add admin --group ops --system",
    args: assignment_args,
    run: |cx| {
        Box::pin(async move {
            cx.app.client()?.assign(&assignment(cx)?).await?;
            Ok(0)
        })
    },
};

const REMOVE: Verb = Verb {
    name: "remove",
    about: "Take a role away",
    examples: "",
    args: assignment_args,
    run: |cx| {
        Box::pin(async move {
            cx.app.client()?.revoke(&assignment(cx)?).await?;
            Ok(0)
        })
    },
};

/// `--project` here says where the role holds; elsewhere it says where to work.
fn assignment_args(command: Command) -> Command {
    command
        .arg(args::key().help("The role"))
        .arg(
            args::opt("user", "USER", "To this user")
                .conflicts_with("group")
                .required_unless_present("group"),
        )
        .arg(args::opt("group", "GROUP", "To this group"))
        .arg(args::opt("domain", "DOMAIN", "In this domain").conflicts_with("system"))
        .arg(args::flag("system", "Everywhere"))
}

fn assignment(cx: Cx) -> Result<Assignment, Failure> {
    let who = match (cx.owned("user"), cx.owned("group")) {
        (Some(user), _) => Who::User(user),
        (None, Some(group)) => Who::Group(group),
        (None, None) => return Err(Failure::usage("say --user or --group")),
    };
    let target = match (cx.flag("system"), cx.owned("domain"), cx.owned("project")) {
        (true, _, _) => Target::System,
        (false, Some(domain), _) => Target::Domain(domain),
        (false, None, Some(project)) => Target::Project(project),
        (false, None, None) => return Err(Failure::usage("say where: --project, --domain or --system")),
    };
    Ok(Assignment {
        role: cx.need("name")?.to_owned(),
        who,
        target,
    })
}
