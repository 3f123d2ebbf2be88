//! Commands that need no service: contexts, completion, version.

use clap::{Arg, builder::PossibleValuesParser};
use isobar_sdk::Auth;
use serde_json::{Value, json};

use crate::{
    app::confirm,
    args, complete,
    contexts::Contexts,
    failure::Failure,
    noun::{Cx, Done, Home, Noun, Verb},
    output::{self, Shape},
};

pub static CONTEXT: Noun = Noun {
    name: "context",
    about: "Logins kept under names",
    home: Home::Here,
    columns: &["current", "name", "auth_url", "username", "project_name", "region_name"],
    wide: &[],
    verbs: &[
        Verb {
            name: "list",
            about: "List them",
            examples: "",
            args: |c| c,
            run: |cx| Box::pin(async move { list(cx) }),
        },
        Verb {
            name: "use",
            about: "Choose the one that is used when nothing else is said",
            examples: "",
            args: |c| c.arg(args::key().help("Its name")),
            run: |cx| Box::pin(async move { choose(cx) }),
        },
        SET,
        Verb {
            name: "delete",
            about: "Forget one or several",
            examples: "",
            args: |c| args::confirming(c.arg(args::keys().help("Their names"))),
            run: |cx| Box::pin(async move { delete(cx) }),
        },
    ],
};

const SET: Verb = Verb {
    name: "set",
    about: "Keep a login: what the OS_* variables say, and what is said here",
    examples: "  set -a; . DATA_DIR/admin.env; climc context set lab\n  climc context set prod --auth-url https://cloud.example/identity/v3 --username ann --project demo --password-stdin",
    args: |c| {
        c.arg(args::key().help("Its name"))
            .arg(args::opt("auth-url", "URL", "Where keystone is, ending in /v3"))
            .arg(args::opt("username", "NAME", "Who logs in"))
            .arg(args::opt("user-domain", "DOMAIN", "The domain the user is in"))
            .arg(args::opt("project-domain", "DOMAIN", "The domain the project is in"))
            .arg(args::flag("password-stdin", "Read the password from standard input"))
            .arg(args::opt("cacert", "FILE", "Trust the certificates in this file"))
    },
    run: |cx| Box::pin(async move { set(cx) }),
};

fn list(cx: Cx) -> Done {
    let known = Contexts::load()?;
    let row = |(name, auth): (&String, &Auth)| {
        json!({
            "current": known.current.as_ref() == Some(name),
            "name": name,
            "auth_url": auth.auth_url,
            "username": auth.username,
            "project_name": auth.project_name,
            "region_name": auth.region_name,
        })
    };
    let items: Vec<Value> = known.contexts.iter().map(row).collect();
    cx.app.output.print(cx.noun, Shape::Many, items).map(|()| 0)
}

fn choose(cx: Cx) -> Done {
    let name = cx.need("name")?;
    let mut known = Contexts::load()?;
    known.get(name)?;
    known.current = Some(name.to_owned());
    known.save()?;
    cx.app.say(&format!("context {name} is used from now on")).map(|()| 0)
}

fn set(cx: Cx) -> Done {
    let name = cx.need("name")?;
    let mut known = Contexts::load()?;
    let kept = known.contexts.get(name).cloned();
    let mut auth = kept.or_else(|| Auth::from_env().ok()).unwrap_or_default();
    let set = |field: &mut Option<String>, given: &str| *field = cx.owned(given).or(field.take());
    set(&mut auth.username, "username");
    set(&mut auth.user_domain_name, "user-domain");
    set(&mut auth.project_name, "project");
    set(&mut auth.project_domain_name, "project-domain");
    set(&mut auth.region_name, "region");
    set(&mut auth.cacert, "cacert");
    if let Some(url) = cx.owned("auth-url") {
        auth.auth_url = url;
    }
    if cx.flag("password-stdin") {
        let mut line = String::new();
        std::io::stdin()
            .read_line(&mut line)
            .map_err(|e| Failure::local("the password cannot be read", e))?;
        auth.password = Some(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    if auth.auth_url.is_empty() {
        return Err(Failure::usage(
            "it is not known where to log in: set OS_AUTH_URL or say --auth-url",
        ));
    }
    known.contexts.insert(name.to_owned(), auth);
    known.current.get_or_insert_with(|| name.to_owned());
    known.save()?;
    cx.app.say(&format!("context {name} kept")).map(|()| 0)
}

fn delete(cx: Cx) -> Done {
    let (names, mut known) = (cx.list("name"), Contexts::load()?);
    for name in &names {
        known.get(name)?;
    }
    confirm(cx.flag("yes"), "context", &names)?;
    known.contexts.retain(|name, _| !names.contains(name));
    known.current = known.current.filter(|current| !names.contains(current));
    known.save().map(|()| 0)
}

pub static COMPLETION: Noun = Noun {
    name: "completion",
    about: "",
    home: Home::Here,
    columns: &[],
    wide: &[],
    verbs: &[Verb {
        name: "completion",
        about: "Print what makes a shell complete climc's words and the names of your things",
        examples: "  climc completion bash > ~/.local/share/bash-completion/completions/climc\n  climc completion zsh > \"${fpath[1]}/_climc\"\n  climc completion fish > ~/.config/fish/completions/climc.fish",
        args: |c| {
            let shells = PossibleValuesParser::new(["bash", "zsh", "fish"]);
            c.arg(
                Arg::new("shell")
                    .required(true)
                    .value_name("SHELL")
                    .value_parser(shells),
            )
        },
        run: |cx| {
            Box::pin(async move {
                let script = match cx.text("shell") {
                    Some("zsh") => complete::ZSH,
                    Some("fish") => complete::FISH,
                    _ => complete::BASH,
                };
                output::write(script).map(|()| 0)
            })
        },
    }],
};

pub static VERSION: Noun = Noun {
    name: "version",
    about: "",
    home: Home::Here,
    columns: &["name", "version"],
    wide: &[],
    verbs: &[Verb {
        name: "version",
        about: "Print the version of climc",
        examples: "",
        args: |c| c,
        run: |cx| {
            Box::pin(async move {
                let version = env!("CARGO_PKG_VERSION");
                match cx.app.output.is_for_people() {
                    true => output::write(&format!("climc {version}\n")),
                    false => cx.app.output.print(
                        cx.noun,
                        Shape::One,
                        vec![json!({ "name": "climc", "version": version })],
                    ),
                }
                .map(|()| 0)
            })
        },
    }],
};
