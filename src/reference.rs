//! What `cargo xtask gen` prints into the tree: OpenAPI documents, the configuration page, the state machines.

use std::fmt::Write;

use types::{Error, Result, config, states};

use crate::serve;

/// The named OpenAPI document as JSON.
pub fn openapi(name: &str) -> Result<String> {
    let documents = serve::documents();
    let document = documents
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, document)| document);
    let document = document.ok_or_else(|| Error::invalid(format!("there is no document `{name}`")))?;
    document
        .to_pretty_json()
        .map_err(|e| Error::broken("the document cannot be written").because(e))
}

/// The page about every setting.
pub fn configuration() -> String {
    let defaults = toml::Table::try_from(config::Config::default()).unwrap_or_default();
    let mut page = String::from(
        "# Configuration\n\nOne TOML file (`isobar serve --config FILE`), overridden by `ISOBAR_*` variables, overridden by flags. \
         Everything has a default; unknown keys are refused.\n\n| key | variable | default | meaning |\n|---|---|---|---|\n",
    );
    for (name, about) in config::FIELDS {
        let default = defaults
            .get(*name)
            .map_or_else(|| "none".to_owned(), |value| format!("`{value}`"));
        let _ = writeln!(
            page,
            "| `{name}` | `ISOBAR_{}` | {default} | {about} |",
            name.to_uppercase()
        );
    }
    page
}

/// Every state machine as a diagram.
pub fn machines() -> String {
    let mut page = String::from(
        "# State machines\n\nDrawn from `core/types/src/states.rs`. A move that is not here is refused.\n",
    );
    macro_rules! draw {
        ($($machine:ident)*) => {$(
            let _ = writeln!(page, "\n## {}\n\n```mermaid\nstateDiagram-v2", stringify!($machine));
            for state in states::$machine::ALL {
                for next in state.next() {
                    let _ = writeln!(page, "  {state} --> {next}");
                }
            }
            page.push_str("```\n");
        )*};
    }
    draw!(Server Power Guest Disk Snapshot Network Host Account Task);
    page
}
