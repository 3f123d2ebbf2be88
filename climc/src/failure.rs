//! How a command fails: one sentence, its causes, a hint, and an exit code that scripts can rely on.

use isobar_sdk::Error;
use types::Kind;

pub const ERROR: u8 = 1;
pub const USAGE: u8 = 2;
pub const PARTIAL: u8 = 8;
/// As shells have it for a command that Ctrl-C ended.
pub const INTERRUPTED: u8 = 130;

pub struct Failure {
    pub error: Error,
    pub exit: u8,
    pub hint: Option<String>,
}

impl Failure {
    /// The command line was wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: USAGE,
            ..Self::from(Error::new(Kind::Invalid, message))
        }
    }

    /// Something on this machine did not work.
    pub fn local(message: impl Into<String>, cause: impl std::error::Error) -> Self {
        Self::from(Error::new(Kind::Broken, message).because(cause))
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What goes to stderr.
    pub fn text(&self, verbose: bool) -> String {
        let mut text = format!("error: {}\n", self.error.message);
        for cause in &self.error.causes {
            text.push_str(&format!("  {cause}\n"));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("hint: {hint}\n"));
        }
        if verbose {
            text.push_str(&format!("code: {}\n", self.error.code));
            if let Some(id) = self.error.request_id() {
                text.push_str(&format!("request id: {id}\n"));
            }
            if !self.error.details.is_null() {
                text.push_str(&format!("details: {}\n", self.error.details));
            }
        }
        text
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            exit: exit(error.kind),
            hint: hint(&error),
            error,
        }
    }
}

impl From<types::Error> for Failure {
    fn from(error: types::Error) -> Self {
        Self::from(Error::from(error))
    }
}

pub const fn exit(kind: Kind) -> u8 {
    match kind {
        Kind::NotFound => 3,
        Kind::Denied | Kind::Unauthenticated => 4,
        Kind::Conflict => 5,
        Kind::Quota | Kind::Capacity => 6,
        Kind::Timeout => 7,
        Kind::Invalid | Kind::Unsupported | Kind::Throttled | Kind::Unavailable | Kind::Cancelled | Kind::Broken => {
            ERROR
        }
    }
}

/// The next step, where there is an obvious one.
fn hint(error: &Error) -> Option<String> {
    if let Some(task) = task(error) {
        return Some(match error.kind {
            Kind::Conflict => format!("climc task wait {task}"),
            _ => format!("climc task show {task}"),
        });
    }
    let noun = error.resource.as_deref().and_then(|resource| resource.split_once('/'));
    match (error.kind, noun) {
        (Kind::Timeout, Some(("task", id))) => Some(format!("climc task wait {id}")),
        (Kind::Timeout, Some(("server", id))) => Some(format!("climc server console-log {id}")),
        (Kind::NotFound, Some((noun, _))) => Some(format!("climc {noun} list")),
        (Kind::Unauthenticated, _) => {
            Some("check OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME, or `climc context list`".to_owned())
        }
        (Kind::Quota, _) => Some("climc quota list".to_owned()),
        (Kind::Capacity, _) => Some("climc host list -o wide".to_owned()),
        (Kind::Unavailable, _) => Some("climc doctor".to_owned()),
        _ => None,
    }
}

fn task(error: &Error) -> Option<&str> {
    error.details.get("task")?.as_str()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn an_error_tells_the_next_step() {
        let error = types::Error::conflict("server `web` is being deleted")
            .code("busy")
            .details(serde_json::json!({ "task": "task-1" }))
            .because(std::io::Error::other("it began 3 s ago"));
        let failure = Failure::from(error);
        assert_eq!(failure.exit, 5);
        expect![[r#"
            error: server `web` is being deleted
              it began 3 s ago
            hint: climc task wait task-1
            code: busy
            details: {"task":"task-1"}
        "#]]
        .assert_eq(&failure.text(true));
    }
}
