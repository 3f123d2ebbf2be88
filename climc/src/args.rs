//! The arguments that several verbs share, so that they are spelled and explained once.

use std::time::Duration;

use clap::{Arg, ArgAction, Command, value_parser};
use types::Size;

pub fn opt(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

pub fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// May be given several times.
pub fn many(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    opt(name, value, help).action(ArgAction::Append)
}

pub fn size(name: &'static str, help: &'static str) -> Arg {
    opt(name, "SIZE", help).value_parser(value_parser!(Size))
}

pub fn number(name: &'static str, help: &'static str) -> Arg {
    opt(name, "N", help).value_parser(value_parser!(u32))
}

/// The one thing a verb is about, by name or id.
pub fn key() -> Arg {
    Arg::new("name").value_name("NAME").required(true).help("Name or id")
}

/// One or several things, by name or id.
pub fn keys() -> Arg {
    key().num_args(1..).help("Names or ids")
}

/// The name of what is made; a batch names its own.
pub fn new_name() -> Arg {
    Arg::new("name")
        .value_name("NAME")
        .required_unless_present("file")
        .help("Its name")
}

pub fn tags() -> Arg {
    many("tag", "KEY=VALUE", "Label it; may be repeated").value_parser(pair)
}

/// Waiting for what takes time.
pub fn waiting(command: Command) -> Command {
    command
        .arg(flag("wait", "Return when it is done, not when it has begun"))
        .arg(
            opt("timeout", "TIME", "How long --wait waits, for example 90s or 10m")
                .value_parser(duration)
                .default_value("10m"),
        )
}

/// As [`waiting`], for what ends with a guest that boots.
pub fn waiting_for_guest(command: Command) -> Command {
    waiting(command).arg(
        opt(
            "wait-for",
            "WHAT",
            "As --wait; `guest` waits on until the guest has given a sign of life",
        )
        .value_parser(["running", "guest"]),
    )
}

/// Creating from documents instead of arguments.
pub fn batch(command: Command) -> Command {
    command.arg(
        Arg::new("file")
            .short('f')
            .long("file")
            .value_name("FILE")
            .conflicts_with("name")
            .help("Create what the YAML or JSON documents in FILE (`-`: standard input) describe"),
    )
}

pub fn confirming(command: Command) -> Command {
    command.arg(flag("yes", "Do not ask").short('y'))
}

/// `90s`, `10m`, `2h`, or seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b'h') => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    let wrong = || format!("`{text}` is not a time: write for example 90s, 10m or 2h");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(number.saturating_mul(unit).min(365 * 86_400)))
}

/// `key=value`, checked and kept as it is.
pub fn pair(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not KEY=VALUE")),
    }
}

/// Splits what [`pair`] checked.
pub fn pairs(texts: Vec<String>) -> impl Iterator<Item = (String, String)> {
    texts.into_iter().filter_map(|text| {
        let (key, value) = text.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7200), ("45", 45)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        assert!(duration("soon").is_err() && duration("").is_err() && duration("5d").is_err());
    }
}
