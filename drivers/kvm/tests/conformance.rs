//! The driver, an agent and a real libvirt with real guests: the contract's rules, and the life of a server.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

mod answers;
mod bridge;
mod lab;
mod life;
mod rebuild;
mod refuse;
mod storm;
mod trust;

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_of_the_contract() {
    let lab = lab::Lab::open().await;
    let subject = conformance::Subject::new(kvm::Kvm, lab.site()).with_image(vec![7u8; 4096], "raw");
    conformance::run(&subject).await;
    lab.assert_empty().await;
}
