//! The command line, built from the table of nouns, and one run of it from arguments to exit code.

use clap::{Arg, ArgMatches, Command, error::ErrorKind, value_parser};

use crate::{
    app::App,
    args, complete,
    failure::{ERROR, Failure, USAGE},
    noun::{Cx, Done, Noun, Verb},
    nouns,
    output::Format,
};

const AFTER: &str = "\
Log in with OS_* variables (`set -a; . DATA_DIR/admin.env`) or a context (`climc context set --help`).
Names are accepted wherever ids are. `climc server-create` is `climc server create`.

Examples:
  climc server create web --image debian --flavor small --network lan --wait
  climc server list --state running -o wide
  climc server delete web --yes --wait

Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 denied, 5 conflict, 6 quota or capacity, 7 timeout, 8 partial.";

/// Runs one command line; the result is the exit code.
pub fn run(argv: Vec<String>) -> u8 {
    if argv.get(1).is_some_and(|word| word == complete::HIDDEN) {
        return complete::answer(&argv[2..]);
    }
    let argv = spelled_out(argv);
    let matches = match command(argv.get(1).map(String::as_str)).try_get_matches_from(&argv) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
                _ => USAGE,
            };
        }
    };
    // `role add --project P` gives a role there; the caller need not have one.
    let scoped = matches.subcommand_name() != Some("role");
    let app = App::new(&matches, scoped);
    match dispatch(&app, &matches) {
        Ok(code) => code,
        Err(failure) => {
            app.report(&failure);
            failure.exit
        }
    }
}

fn dispatch(app: &App, matches: &ArgMatches) -> Done {
    let (noun, verb, args) =
        chosen(matches).ok_or_else(|| Failure::usage("a noun and a verb are needed; see --help"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::local("the command cannot start", e))?;
    let done = runtime.block_on((verb.run)(Cx { app, noun, args }));
    // Reads of standard input that never end must not keep the command alive.
    runtime.shutdown_background();
    done.map_err(|failure| Failure {
        exit: failure.exit.max(ERROR),
        ..failure
    })
}

fn chosen(matches: &ArgMatches) -> Option<(&'static Noun, &'static Verb, &ArgMatches)> {
    let (name, below) = matches.subcommand()?;
    let noun = nouns::find(name)?;
    if let [only] = noun.verbs
        && only.name == noun.name
    {
        return Some((noun, only, below));
    }
    let Some((name, args)) = below.subcommand() else {
        return noun.alone().map(|verb| (noun, verb, below));
    };
    let verb = noun.verbs.iter().find(|verb| verb.name == name)?;
    Some((noun, verb, args))
}

/// The whole command line. Only the noun in `wanted` gets its verbs when it is one: building all takes longer than running.
pub fn command(wanted: Option<&str>) -> Command {
    let wanted = wanted.and_then(nouns::find);
    let root = Command::new("climc")
        .about("Servers, disks, networks and images on every cloud you have")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(AFTER)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .max_term_width(110)
        .args(globals());
    match wanted {
        Some(noun) => root.subcommand(noun_command(noun)),
        None => root.subcommands(nouns::ALL.iter().map(|noun| noun_command(noun))),
    }
}

fn globals() -> Vec<Arg> {
    let all = vec![
        args::opt(
            "output",
            "FORMAT",
            "How to print; wide is the table with more columns, jsonl one object a line, name one name a line",
        )
        .short('o')
        .value_parser(value_parser!(Format))
        .default_value("table"),
        args::opt("columns", "A,B", "Only these fields, dotted paths allowed").value_delimiter(','),
        args::opt(
            "query",
            "PATH",
            "Only what this path leads to, for example 0.name or addresses.address",
        ),
        args::opt("context", "NAME", "The login to use (also CLIMC_CONTEXT)"),
        args::opt("project", "NAME", "The project to work in"),
        args::opt("region", "NAME", "The region to work in"),
        args::flag("no-color", "No colours (also NO_COLOR)"),
        args::flag("verbose", "Tell request ids and codes of errors").short('v'),
    ];
    all.into_iter()
        .map(|arg| arg.global(true).help_heading("Everywhere"))
        .collect()
}

fn noun_command(noun: &'static Noun) -> Command {
    if let [only] = noun.verbs
        && only.name == noun.name
    {
        return verb_command(only);
    }
    Command::new(noun.name)
        .about(noun.about)
        .subcommand_required(noun.alone().is_none())
        .arg_required_else_help(noun.alone().is_none())
        .disable_help_subcommand(true)
        .subcommands(noun.verbs.iter().map(verb_command))
}

fn verb_command(verb: &'static Verb) -> Command {
    let command = Command::new(verb.name).about(verb.about);
    let command = match verb.examples {
        "" => command,
        examples => command.after_help(format!("Examples:\n{examples}")),
    };
    (verb.args)(command)
}

/// `server-create` becomes `server create`, `servers` becomes `server`, `help server` becomes `server --help`.
fn spelled_out(mut argv: Vec<String>) -> Vec<String> {
    if argv.get(1).is_some_and(|word| word == "help") {
        argv.remove(1);
        argv.push("--help".to_owned());
    }
    let Some(word) = argv.get(1) else {
        return argv;
    };
    let split = nouns::ALL.iter().find_map(|noun| {
        let verb = word.strip_prefix(noun.name)?.strip_prefix('-')?;
        let verb = noun.verbs.iter().find(|known| known.name == verb)?;
        Some([noun.name.to_owned(), verb.name.to_owned()])
    });
    if let Some(words) = split {
        argv.splice(1..2, words);
    } else if let Some(noun) = nouns::find(word) {
        noun.name.clone_into(&mut argv[1]);
    }
    argv
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    #[test]
    fn the_table_makes_a_valid_command_line() {
        command(None).debug_assert();
        for noun in nouns::ALL {
            command(Some(noun.name)).debug_assert();
        }
    }

    #[test]
    fn joined_words_are_taken_apart() {
        let check = |word: &str| spelled_out(vec!["climc".into(), word.into()])[1..].join(" ");
        assert_eq!(check("server-create"), "server create");
        assert_eq!(check("cloud-account-sync"), "cloud-account sync");
        assert_eq!(check("host-join-token"), "host join-token");
        assert_eq!(check("cloud-account"), "cloud-account");
        assert_eq!(check("servers"), "server");
        assert_eq!(check("help"), "--help");
    }

    #[test]
    fn help_is_as_reviewed() {
        let mut text = String::new();
        for words in [
            vec!["climc", "--help"],
            vec!["climc", "server", "--help"],
            vec!["climc", "server", "create", "--help"],
            vec!["climc", "task", "--help"],
            vec!["climc", "api", "--help"],
        ] {
            let help = command(words.get(1).copied())
                .term_width(100)
                .try_get_matches_from(&words)
                .unwrap_err();
            text.push_str(&format!("$ {}\n{help}\n", words.join(" ")));
        }
        expect_file!["../tests/help.txt"].assert_eq(&text);
    }
}
