//! The suite that every driver runs: one test for each rule of `drivers/contract/RULES.md`, named by its number.
//!
//! A driver's `tests/conformance.rs` says what is to be tested and expands [`suite!`] into one test per rule, or
//! calls [`run`] in a test of its own when the peer is costly to start. A rule opens a connection, makes what it
//! needs under names and tokens of its own, and leaves nothing behind; so rules run side by side, also on one cloud.

pub mod lab;
pub mod rules;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use contract::{Driver, Site, site::Place};
use futures::future::BoxFuture;
use types::Size;

pub use lab::{Broken, Lab, Verdict};

/// What is tested, and what the tests may use.
#[derive(Clone)]
pub struct Subject {
    pub driver: Arc<dyn Driver>,
    pub site: Site,
    /// Where things go. `None` takes the first host that answers, on clouds that let us choose.
    pub place: Option<Place>,
    /// A small image that the cloud accepts; needed when it has the family `images`. It need not boot.
    pub image: Option<SmallImage>,
    /// The size of test volumes; at least the image's virtual size.
    pub volume: Size,
    /// What one call may take.
    pub limit: Duration,
    /// How long an operation or a change of state may take.
    pub patience: Duration,
}

impl Subject {
    pub fn new(driver: impl Driver, site: Site) -> Self {
        Self {
            driver: Arc::new(driver),
            site,
            place: None,
            image: None,
            volume: Size::gib(1),
            limit: Duration::from_secs(30),
            patience: Duration::from_secs(60),
        }
    }

    pub fn with_image(mut self, bytes: impl Into<Bytes>, format: &str) -> Self {
        self.image = Some(SmallImage {
            bytes: bytes.into(),
            format: format.to_owned(),
        });
        self
    }
}

/// The whole image in memory. A sector is added to it, so that each rule has an image of its own.
#[derive(Clone)]
pub struct SmallImage {
    pub bytes: Bytes,
    pub format: String,
}

/// A rule's test.
pub struct Rule {
    /// The number in lower case and what it says: `r09_start_and_stop_repeat`.
    pub name: &'static str,
    check: fn(&Lab) -> BoxFuture<'_, Verdict>,
}

/// Hands the list of rules to a macro, after its own arguments. The one place where rules are listed.
#[doc(hidden)]
#[macro_export]
macro_rules! with_rules {
    ($then:path { $($argument:tt)* }) => {
        $then! { $($argument)*
            calls r01_families_agree_with_capabilities
            calls r02_a_malformed_credential_is_invalid
            tokens r03_create_twice_with_one_token_makes_one
            tokens r04_creating_at_once_with_one_token_makes_one
            tokens r05_find_by_token
            absent r06_get_of_the_absent_is_not_found
            absent r07_delete_of_the_absent_succeeds
            power r08_lifecycle
            power r09_start_and_stop_repeat
            absent r10_acting_on_the_absent_is_not_found
            lists r11_pages_hold_everything_once
            servers r12_resize
            disks r13_attach_and_detach
            disks r14_an_attached_volume_is_not_deleted
            disks r15_volumes_grow
            disks r16_snapshots
            networks r17_a_network_in_use_stays
            networks r18_reserve_and_release_repeat
            images r19_uploads_are_hashed
            images r20_volumes_start_from_images
            calls r21_a_late_call_has_no_effect
            calls r22_a_cancelled_call_has_no_effect
            calls r23_poll
            servers r24_a_taken_name_is_conflict
            servers r25_console_log
            power r26_reboot_leaves_it_on
            lists r27_hosts_tell_what_they_have
            servers r28_servers_go_where_they_are_told
            lists r29_changes_are_told
            power r30_a_soft_stop_answers_at_once
            power r31_the_sign_of_life
            images r32_rebuild_from_another_image
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! table {
    ($($module:ident $name:ident)*) => {
        /// All rules in order.
        pub const RULES: &[$crate::Rule] = &[$($crate::Rule {
            name: stringify!($name),
            check: |lab| Box::pin($crate::rules::$module::$name(lab)),
        }),*];
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($subject:expr; $($module:ident $name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $crate::check(stringify!($name), &$subject).await;
        }
    )*};
}

/// One `#[tokio::test]` per rule; the argument is an expression that gives the [`Subject`] and may await.
#[macro_export]
macro_rules! suite {
    ($subject:expr) => {
        $crate::with_rules! { $crate::tests { $subject; } }
    };
}

with_rules! { crate::table { } }

/// Runs all rules one after the other and panics at the end with all that were broken.
pub async fn run(subject: &Subject) {
    let mut broken = Vec::new();
    for rule in RULES {
        let began = std::time::Instant::now();
        let verdict = judge(rule, subject).await;
        println!("{:<50} {:>6} ms", rule.name, began.elapsed().as_millis());
        broken.extend(verdict.err().map(|why| format!("{}: {why}", rule.name)));
    }
    assert!(
        broken.is_empty(),
        "{} broke the contract:\n{}",
        subject.driver.kind(),
        broken.join("\n")
    );
}

/// Runs one rule by its name and panics when it is broken.
pub async fn check(name: &str, subject: &Subject) {
    let rule = RULES
        .iter()
        .find(|rule| rule.name == name)
        .expect("the name comes from the list");
    if let Err(why) = judge(rule, subject).await {
        panic!("{} broke the contract: {name}: {why}", subject.driver.kind());
    }
}

/// The rule's verdict, or what could not be cleaned up after it.
pub async fn judge(rule: &Rule, subject: &Subject) -> Verdict {
    let lab = Lab::open(subject).await?;
    let verdict = (rule.check)(&lab).await;
    verdict.and(lab.clean().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_numbered_rule_has_its_test_and_no_test_lacks_a_rule() {
        let written = contract::RULES.lines().filter_map(|line| line.strip_prefix("- **R"));
        let written: Vec<_> = written
            .map(|rest| rest.split("**").next().unwrap_or_default())
            .collect();
        let tested: Vec<_> = RULES
            .iter()
            .map(|rule| rule.name[1..].split('_').next().unwrap_or_default())
            .collect();
        assert_eq!(written, tested);
        assert!(!written.is_empty());
    }

    #[test]
    fn every_rule_says_how_binding_it_is() {
        for line in contract::RULES.lines().filter(|line| line.starts_with("- **R")) {
            assert!(line.contains(" MUST ") || line.contains(" SHOULD "), "{line}");
        }
    }
}
