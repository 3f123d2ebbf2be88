//! Completion for shells: they ask `climc __complete WORDS...`, which answers from the table of nouns and,
//! for names, from the service within a second.

use std::time::Duration;

use clap::Command;

use crate::{
    app::App,
    cli,
    noun::{Home, Noun},
    nouns, output,
};

pub const HIDDEN: &str = "__complete";
const BUDGET: Duration = Duration::from_secs(1);

pub const BASH: &str = r#"_climc() {
    local IFS=$'\n'
    COMPREPLY=($(compgen -W "$(climc __complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _climc climc
"#;
pub const ZSH: &str = r#"#compdef climc
_climc() {
    local -a found
    found=("${(@f)$(climc __complete "${(@)words[2,CURRENT-1]}" 2>/dev/null)}")
    compadd -a found || _files
}
compdef _climc climc
"#;
pub const FISH: &str = "complete -c climc -f -a '(climc __complete (commandline -opc)[2..] 2>/dev/null)'\n";

/// Prints what may follow these words, one a line.
pub fn answer(words: &[String]) -> u8 {
    let mut found = candidates(words);
    found.sort();
    found.dedup();
    let _ = output::write(&found.iter().map(|word| format!("{word}\n")).collect::<String>());
    0
}

fn candidates(words: &[String]) -> Vec<String> {
    let mut plain = words.iter().filter(|word| !word.starts_with('-'));
    let Some(noun) = plain.next() else {
        return nouns::ALL.iter().map(|noun| noun.name.to_owned()).collect();
    };
    let Some(noun) = nouns::find(noun) else {
        return Vec::new();
    };
    match plain
        .next()
        .and_then(|verb| noun.verbs.iter().find(|known| known.name == verb))
    {
        None if noun.verbs.len() > 1 => noun.verbs.iter().map(|verb| verb.name.to_owned()).collect(),
        None => Vec::new(),
        Some(verb) => {
            let command = (verb.args)(Command::new(verb.name));
            match words.last().and_then(|word| option_noun(word)) {
                Some(other) => names(other),
                None => {
                    let mut found = options(&command);
                    let takes_names =
                        command.get_arguments().any(|arg| arg.get_id() == "name") && verb.name != "create";
                    found.extend(takes_names.then(|| names(noun)).into_iter().flatten());
                    found
                }
            }
        }
    }
}

fn options(command: &Command) -> Vec<String> {
    let longs = command.get_arguments().filter_map(|arg| arg.get_long());
    longs.map(|long| format!("--{long}")).collect()
}

/// The noun whose names an option takes.
fn option_noun(word: &str) -> Option<&'static Noun> {
    let name = word.strip_prefix("--")?;
    let name = if name == "account" { "cloud-account" } else { name };
    let names = [
        "image",
        "flavor",
        "network",
        "cloud-account",
        "zone",
        "keypair",
        "server",
        "disk",
        "project",
        "user",
        "host",
    ];
    names.contains(&name).then(|| nouns::find(name)).flatten()
}

fn names(noun: &'static Noun) -> Vec<String> {
    let Ok(matches) = cli::command(Some("version")).try_get_matches_from(["climc", "version"]) else {
        return Vec::new();
    };
    let app = App::new(&matches, true);
    let Ok(client) = app.client() else {
        return Vec::new();
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let found = runtime.block_on(tokio::time::timeout(BUDGET, async {
        match noun.home {
            Home::Region(path) => client.any(path).list(isobar_sdk::Query::new().limit(500)).all().await,
            Home::Identity => client.identity(noun.name).list(&[]).await,
            Home::Image => client.images().list(&[], Some(500)).await,
            Home::Whole(_) | Home::Here => Ok(Vec::new()),
        }
    }));
    match found {
        Ok(Ok(items)) => items.iter().map(output::name).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_to_what_may_follow() {
        let check = |words: &[&str]| candidates(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert!(check(&[]).contains(&"server".to_owned()));
        assert!(check(&["server"]).contains(&"console-log".to_owned()));
        assert!(check(&["server", "create"]).contains(&"--image".to_owned()));
        assert!(check(&["nonsense"]).is_empty());
    }
}
