//! Connecting, deadlines, cancellation, operations.

use std::time::Duration;

use contract::{Call, Kind, Op, Site};
use serde_json::json;

use crate::{
    Lab, Verdict, ensure,
    lab::{agree, refused},
};

pub async fn r01_families_agree_with_capabilities(lab: &Lab) -> Verdict {
    agree("hosts", lab.cloud.hosts(), lab.cloud.capabilities().hosts.is_some())?;
    lab.compute()?;
    lab.disks()?;
    lab.networks()?;
    lab.images()?;
    lab.snapshots()?;
    Ok(())
}

pub async fn r02_a_malformed_credential_is_invalid(lab: &Lab) -> Verdict {
    let schema = lab.subject.driver.credential_schema();
    ensure!(
        schema["type"] == "object",
        "the credential schema is not that of an object"
    );
    ensure!(
        schema["properties"].is_object(),
        "the credential schema has no properties"
    );
    let mut malformed = vec![json!([1]), json!("text")];
    if schema["additionalProperties"] == false {
        malformed.push(json!({"no-such-option": 1}));
    }
    for credential in malformed {
        let what = format!("the credential {credential}");
        let site = Site {
            credential,
            ..lab.subject.site.clone()
        };
        let answer = lab.subject.driver.connect(&lab.call(), &site).await;
        refused(answer.map(|_| "a connection"), Kind::Invalid, &what)?;
    }
    Ok(())
}

pub async fn r21_a_late_call_has_no_effect(lab: &Lab) -> Verdict {
    no_effect(lab, &Call::new("late", Duration::ZERO), Kind::Timeout).await
}

pub async fn r22_a_cancelled_call_has_no_effect(lab: &Lab) -> Verdict {
    let call = lab.call();
    call.cancelled.cancel();
    no_effect(lab, &call, Kind::Cancelled).await
}

async fn no_effect(lab: &Lab, call: &Call, kind: Kind) -> Verdict {
    if let Some(compute) = lab.compute()? {
        let (spec, token) = (lab.machine_spec(Vec::new(), Vec::new()), lab.token());
        refused(compute.create(call, &spec, &token).await, kind, "making a server")?;
        refused(
            compute.list(call, None).await.map(|page| page.items),
            kind,
            "listing servers",
        )?;
        let found = compute.find(&lab.call(), &token).await?;
        ensure!(found.is_none(), "a server was made nevertheless: {found:?}");
    }
    if let Some(disks) = lab.disks()? {
        let token = lab.token();
        refused(
            disks.create(call, &lab.volume_spec(), &token).await,
            kind,
            "making a volume",
        )?;
        let found = disks.find(&lab.call(), &token).await?;
        ensure!(found.is_none(), "a volume was made nevertheless: {found:?}");
    }
    refused(lab.cloud.poll(call, "any").await, kind, "polling")?;
    Ok(())
}

pub async fn r23_poll(lab: &Lab) -> Verdict {
    refused(
        lab.cloud.poll(&lab.call(), &lab.name()).await,
        Kind::NotFound,
        "an unknown handle",
    )?;
    let Some(disks) = lab.disks()? else { return Ok(()) };
    match disks.create(&lab.call(), &lab.volume_spec(), &lab.token()).await? {
        Op::Done(id) => drop(lab.keep_volume(id)),
        Op::Pending { operation, after } => {
            let first = lab.wait(&operation, after).await?;
            let again = lab.wait(&operation, Duration::ZERO).await?;
            let id = lab
                .id(Ok(Op::Pending {
                    operation,
                    after: Duration::ZERO,
                }))
                .await?;
            lab.keep_volume(id);
            ensure!(first == again, "an ended operation answers {first}, then {again}");
        }
    }
    Ok(())
}
