//! Who may command an agent, and whom the driver believes.

use contract::{Driver, ExternalRef, Kind, site::Endpoint};

use crate::lab::{Controller, Lab, call};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_controller_is_served_and_only_the_host_is_believed() {
    let lab = Lab::open().await;
    let of = |identity| contract::Site {
        identity: Some(identity),
        ..lab.site()
    };
    let stranger = Controller::start().await;
    let mut mixed = stranger.authority().identity("isobar-region");
    mixed.authority = lab.controller.authority().pem.clone();
    let mut imposter = lab.site();
    imposter.hosts = vec![Endpoint {
        host: ExternalRef::new(types::HostId::new().to_string()),
        url: imposter.hosts[0].url.clone(),
    }];
    for (who, site) in [
        (
            "another host of our authority",
            of(lab.controller.authority().identity("host-1")),
        ),
        ("a controller of another authority", of(mixed)),
        (
            "a driver that trusts another authority",
            of(stranger.authority().identity("isobar-region")),
        ),
        ("a driver that asks for another host at this address", imposter),
    ] {
        let host = site.hosts[0].host.clone();
        let cloud = kvm::Kvm.connect(&call(), &site).await.unwrap();
        let refused = cloud.hosts().unwrap().get(&call(), &host).await.expect_err(who);
        assert!(
            matches!(refused.kind, Kind::Denied | Kind::Unavailable),
            "{who}: {}",
            refused.chain()
        );
    }
    assert!(lab.cloud.hosts().unwrap().get(&call(), &lab.host()).await.is_ok());
}
