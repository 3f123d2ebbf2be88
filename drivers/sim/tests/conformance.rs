//! The simulated cloud under the suite that every driver runs: instant in memory, and slow in a shared file.

use conformance::Subject;
use contract::Site;
use serde_json::{Value, json};

fn subject(credential: Value) -> Subject {
    let site = Site {
        account: "conformance".to_owned(),
        credential,
        ..Site::default()
    };
    Subject::new(sim::Sim, site).with_image(&b"an image"[..], "raw")
}

mod instant {
    conformance::suite!(super::subject(super::json!({"page_size": 2})));
}

mod slow {
    /// All rules share one cloud, each process under it.
    fn credential() -> super::Value {
        super::json!({"latency_ms": 30, "page_size": 2, "state": env!("CARGO_TARGET_TMPDIR").to_owned() + "/conformance.jsonl"})
    }

    conformance::suite!(super::subject(credential()));
}
