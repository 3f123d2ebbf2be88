//! Words and options of a command line, taken one by one; what is left over at the end is a mistake.

use anyhow::{Context, Result, ensure};

pub struct Args(Vec<String>);

impl Args {
    pub fn new(words: impl Iterator<Item = String>) -> Self {
        Self(words.collect())
    }

    /// The next word, in order.
    pub fn word(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|word| word != name);
        self.0.len() != before
    }

    /// `--name VALUE` or `--name=VALUE`.
    pub fn option(&mut self, name: &str) -> Result<Option<String>> {
        let joined = format!("{name}=");
        if let Some(at) = self.0.iter().position(|word| word.starts_with(&joined)) {
            return Ok(Some(self.0.remove(at)[joined.len()..].to_owned()));
        }
        let Some(at) = self.0.iter().position(|word| word == name) else {
            return Ok(None);
        };
        ensure!(at + 1 < self.0.len(), "{name} needs a value");
        self.0.remove(at);
        Ok(Some(self.0.remove(at)))
    }

    pub fn number(&mut self, name: &str) -> Result<Option<usize>> {
        self.option(name)?
            .map(|text| {
                text.parse()
                    .with_context(|| format!("{name} is {text}; it must be a whole number"))
            })
            .transpose()
    }

    pub fn done(self) -> Result<()> {
        ensure!(
            self.0.is_empty(),
            "not understood: {}; see cargo xtask --help",
            self.0.join(" ")
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_options_and_leftovers() {
        let mut args = Args::new("spine --out x --rounds=7 --quick".split(' ').map(str::to_owned));
        assert_eq!(args.word().as_deref(), Some("spine"));
        assert_eq!(args.option("--out").unwrap().as_deref(), Some("x"));
        assert_eq!(args.number("--rounds").unwrap(), Some(7));
        assert!(args.flag("--quick") && !args.flag("--quick"));
        args.done().unwrap();
        assert!(Args::new(["--out".to_owned()].into_iter()).option("--out").is_err());
        assert!(Args::new(["--odd".to_owned()].into_iter()).done().is_err());
    }
}
