//! What every command shares: the options before and after the verb, and the client they lead to.

use std::{
    cell::OnceCell,
    io::{IsTerminal, Write},
    path::PathBuf,
    time::Duration,
};

use clap::ArgMatches;
use isobar_sdk::{Client, Deadline, Options};

use crate::{
    contexts,
    failure::Failure,
    output::{self, Format, Output},
};

pub struct App {
    pub output: Output,
    pub verbose: bool,
    login: Login,
    client: OnceCell<Client>,
}

/// What the command line says about whom to be and where.
struct Login {
    context: Option<String>,
    project: Option<String>,
    region: Option<String>,
}

impl App {
    /// `scoped` says that `--project` is where to work, not what the verb is about.
    pub fn new(args: &ArgMatches, scoped: bool) -> Self {
        let text = |name: &str| args.get_one::<String>(name).cloned();
        let columns = args
            .get_many::<String>("columns")
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        Self {
            output: Output {
                format: args.get_one::<Format>("output").copied().unwrap_or(Format::Table),
                columns,
                query: text("query"),
                colour: output::colour(args.get_flag("no-color")),
            },
            verbose: args.get_flag("verbose"),
            login: Login {
                context: text("context"),
                project: text("project").filter(|_| scoped),
                region: text("region"),
            },
            client: OnceCell::new(),
        }
    }

    /// The client, made when first asked for: commands that need no service need no login.
    pub fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let mut auth = contexts::login(self.login.context.as_deref())?;
        if let Some(project) = &self.login.project {
            auth.project_name = Some(project.clone());
            (auth.project_id, auth.domain_id, auth.domain_name, auth.system_scope) = (None, None, None, None);
        }
        auth.region_name = self.login.region.clone().or(auth.region_name);
        let options = Options {
            cache: directory("XDG_CACHE_HOME", ".cache"),
            user_agent: concat!("climc/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Options::default()
        };
        Ok(self.client.get_or_init(|| Client::with(auth, options)))
    }

    pub fn report(&self, failure: &Failure) {
        eprint!("{}", failure.text(self.verbose));
    }

    /// A sentence for the person at the terminal; programs that read the output do not get it.
    pub fn say(&self, sentence: &str) -> Result<(), Failure> {
        match self.output.is_for_people() {
            true => output::write(&format!("{sentence}\n")),
            false => Ok(()),
        }
    }
}

/// `$XDG_.../isobar`, or the same below the home directory.
pub fn directory(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set(variable).or_else(|| set("HOME").map(|home| home.join(below_home)))?;
    Some(base.join("isobar"))
}

/// The deadline of `--timeout`. At a terminal progress is looked at every second.
pub fn deadline(given: Option<Duration>) -> Deadline {
    let deadline = Deadline::after(given.unwrap_or(Duration::from_secs(600)));
    match std::io::stderr().is_terminal() {
        true => deadline.looking_every(Duration::from_secs(1)),
        false => deadline,
    }
}

/// Asks before something is destroyed. Without a terminal there is nobody to ask, so `--yes` is needed.
pub fn confirm(yes: bool, noun: &str, names: &[String]) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let what = match names {
        [one] => format!("{noun} `{one}`"),
        many => format!("{} {noun}s ({})", many.len(), many.join(", ")),
    };
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "deleting {what} needs --yes when nobody can be asked"
        )));
    }
    eprint!("Delete {what}? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stderr()
        .flush()
        .and_then(|()| std::io::stdin().read_line(&mut answer));
    read.map_err(|e| Failure::local("the answer cannot be read", e))?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::usage("nothing was deleted")),
    }
}
