//! What the command line is made of: nouns with their columns, and the verbs each has.

use clap::{ArgMatches, Command};
use futures::future::LocalBoxFuture;

use crate::{app::App, failure::Failure};

/// The exit code of a command that reported everything itself, or what is to be reported.
pub type Done = Result<u8, Failure>;

/// Where things of a kind are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// The region, under this path.
    Region(&'static str),
    /// The region, under a path whose list comes in one piece.
    Whole(&'static str),
    Identity,
    Image,
    /// Nowhere: the noun groups local verbs.
    Here,
}

pub struct Noun {
    pub name: &'static str,
    pub about: &'static str,
    pub home: Home,
    /// `path[:format]` of what tables show; see [`crate::table::Column`].
    pub columns: &'static [&'static str],
    /// What `-o wide` adds.
    pub wide: &'static [&'static str],
    pub verbs: &'static [Verb],
}

impl Noun {
    /// The verb that is meant when only the noun is given: the page of an operator needs no second word.
    pub fn alone(&self) -> Option<&'static Verb> {
        match self.home {
            Home::Here => self.verbs.iter().find(|verb| verb.name == "show"),
            _ => None,
        }
    }
}

pub struct Verb {
    pub name: &'static str,
    pub about: &'static str,
    /// Lines of `climc ...` shown under the help.
    pub examples: &'static str,
    pub args: fn(Command) -> Command,
    pub run: for<'a> fn(Cx<'a>) -> LocalBoxFuture<'a, Done>,
}

/// One command being run.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    pub app: &'a App,
    pub noun: &'static Noun,
    pub args: &'a ArgMatches,
}

impl<'a> Cx<'a> {
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.args.get_one::<String>(name).map(String::as_str)
    }

    pub fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// A required argument.
    pub fn need(&self, name: &str) -> Result<&'a str, Failure> {
        self.text(name)
            .ok_or_else(|| Failure::usage(format!("`{name}` is missing; see --help")))
    }

    pub fn list(&self, name: &str) -> Vec<String> {
        self.args
            .get_many::<String>(name)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Whether the command returns when things are done, not when they have begun.
    pub fn waits(&self) -> bool {
        self.flag("wait") || self.awaited().is_some()
    }

    /// What `--wait-for` names; none when this verb has no such option.
    pub fn awaited(&self) -> Option<&'a str> {
        let given = self.args.try_get_one::<String>("wait-for");
        given.ok().flatten().map(String::as_str)
    }

    /// A flag of this verb; false when the verb has no such flag.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.args.try_get_one::<bool>(name), Ok(Some(true)))
    }

    pub fn value<T: Clone + Send + Sync + 'static>(&self, name: &str) -> Option<T> {
        self.args.try_get_one::<T>(name).ok().flatten().cloned()
    }
}
