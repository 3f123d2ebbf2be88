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

/// Without libvirt an agent still joins, answers, says in words what is missing, and stops when told.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_says_what_it_lacks() {
    let controller = Controller::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = kvm::agent::Options::new(&controller.url, &controller.token, dir.path());
    options.libvirt_uri = "qemu+unix:///system?socket=/nowhere".to_owned();
    options.accel = kvm::agent::accel::Wish::Qemu;
    options.name = Some("bare".to_owned());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let agent = kvm::agent::Agent::start(options.clone()).await.unwrap();
    let serving = tokio::spawn(agent.serve(async move { drop(stopped.await) }));
    let cloud = kvm::Kvm
        .connect(&call(), &controller.site(controller.hosts()))
        .await
        .unwrap();
    let host = &cloud.hosts().unwrap().list(&call(), None).await.unwrap().items[0];
    assert!(host.reachable && host.name == "bare");
    let fault = host
        .faults
        .iter()
        .find(|fault| fault.contains("libvirtd does not answer"))
        .unwrap();
    assert!(fault.contains("start it"), "{fault}");
    let refused = cloud
        .compute()
        .unwrap()
        .get(&call(), &ExternalRef::new(format!("{}/{}", host.id, uuid::Uuid::nil())))
        .await;
    assert_eq!(refused.unwrap_err().code, "libvirt_down");
    let second = kvm::agent::Agent::start(options)
        .await
        .err()
        .expect("two agents in one directory");
    assert_eq!(second.kind, Kind::Conflict);
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    let page = cloud.hosts().unwrap().list(&call(), None).await.unwrap();
    assert!(!page.items[0].reachable);
}

/// A token that names another authority keeps the agent from joining whoever answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_in_between_is_refused() {
    let (real, fake) = (Controller::start().await, Controller::start().await);
    let dir = tempfile::tempdir().unwrap();
    let options = kvm::agent::Options::new(&fake.url, &real.token, dir.path());
    let refused = kvm::agent::run(options, std::future::pending()).await.unwrap_err();
    assert_eq!(refused.code, "foreign_authority");
    assert!(!dir.path().join("agent.json").exists());
}
