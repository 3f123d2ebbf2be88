//! One token, one thing.

use contract::{Compute, Disks};
use futures::future::join_all;

use crate::{Lab, Verdict, ensure};

pub async fn r03_create_twice_with_one_token_makes_one(lab: &Lab) -> Verdict {
    let call = &lab.call();
    if let Some(disks) = lab.disks()? {
        let (spec, token) = (lab.volume_spec(), lab.token());
        let first = lab.keep_volume(lab.id(disks.create(call, &spec, &token).await).await?);
        let again = lab.id(disks.create(call, &spec, &token).await).await?;
        ensure!(first == again, "two volumes of one token: {first} and {again}");
        if let Some(snapshots) = lab.snapshots()? {
            let (name, token) = (lab.name(), lab.token());
            let one = lab.id(snapshots.create(call, &first, &name, &token).await).await?;
            let two = lab.id(snapshots.create(call, &first, &name, &token).await).await?;
            ensure!(one == two, "two snapshots of one token: {one} and {two}");
            lab.done(snapshots.delete(call, &one).await).await?;
        }
    }
    if let Some(networks) = lab.networks()?
        && let Some(spec) = lab.network_spec()
    {
        let token = lab.token();
        let first = lab.keep_network(lab.id(networks.create(call, &spec, &lab.place, &token).await).await?);
        let again = lab.id(networks.create(call, &spec, &lab.place, &token).await).await?;
        ensure!(first == again, "two networks of one token: {first} and {again}");
    }
    if let Some(compute) = lab.compute()? {
        let (spec, token) = (lab.machine_spec(lab.boot_disks().await?, Vec::new()), lab.token());
        let first = lab.keep_machine(lab.id(compute.create(call, &spec, &token).await).await?);
        let again = lab.id(compute.create(call, &spec, &token).await).await?;
        ensure!(first == again, "two servers of one token: {first} and {again}");
    }
    Ok(())
}

pub async fn r04_creating_at_once_with_one_token_makes_one(lab: &Lab) -> Verdict {
    let call = &lab.call();
    if let Some(disks) = lab.disks()? {
        let (spec, token) = (lab.volume_spec(), lab.token());
        let all = (0..4).map(|_| async { lab.id(disks.create(call, &spec, &token).await).await });
        let ids = join_all(all).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        lab.keep_volume(ids[0].clone());
        ensure!(
            ids.iter().all(|id| *id == ids[0]),
            "several volumes of one token: {ids:?}"
        );
        let named = volumes_named(lab, disks, &spec.name).await?;
        ensure!(named == 1, "{named} volumes of one token are listed");
    }
    if let Some(compute) = lab.compute()? {
        let (spec, token) = (lab.machine_spec(lab.boot_disks().await?, Vec::new()), lab.token());
        let all = (0..4).map(|_| async { lab.id(compute.create(call, &spec, &token).await).await });
        let ids = join_all(all).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        lab.keep_machine(ids[0].clone());
        ensure!(
            ids.iter().all(|id| *id == ids[0]),
            "several servers of one token: {ids:?}"
        );
        let named = servers_named(lab, compute, &spec.name).await?;
        ensure!(named == 1, "{named} servers of one token are listed");
    }
    Ok(())
}

pub async fn r05_find_by_token(lab: &Lab) -> Verdict {
    let call = &lab.call();
    if let Some(disks) = lab.disks()? {
        let token = lab.token();
        let id = lab.keep_volume(lab.id(disks.create(call, &lab.volume_spec(), &token).await).await?);
        let found = disks.find(call, &token).await?;
        ensure!(
            found.as_ref().is_some_and(|v| v.id == id),
            "{token} made volume {id}, found {found:?}"
        );
        ensure!(
            found.is_some_and(|v| v.token == Some(token.clone())),
            "volume {id} does not tell its token"
        );
        let none = disks.find(call, &lab.token()).await?;
        ensure!(none.is_none(), "an unused token found {none:?}");
        lab.done(disks.delete(call, &id).await).await?;
        let none = disks.find(call, &token).await?;
        ensure!(none.is_none(), "the token of a deleted volume found {none:?}");
    }
    if let Some(compute) = lab.compute()? {
        let (spec, token) = (lab.machine_spec(lab.boot_disks().await?, Vec::new()), lab.token());
        let id = lab.keep_machine(lab.id(compute.create(call, &spec, &token).await).await?);
        let found = compute.find(call, &token).await?;
        ensure!(
            found.as_ref().is_some_and(|m| m.id == id),
            "{token} made server {id}, found {found:?}"
        );
        ensure!(
            found.is_some_and(|m| m.name == spec.name),
            "server {id} does not tell its name"
        );
        let none = compute.find(call, &lab.token()).await?;
        ensure!(none.is_none(), "an unused token found {none:?}");
    }
    Ok(())
}

async fn volumes_named(lab: &Lab, disks: &dyn Disks, name: &str) -> Verdict<usize> {
    let (mut count, mut from) = (0, None);
    loop {
        let page = disks.list(&lab.call(), from).await?;
        count += page.items.iter().filter(|volume| volume.name == name).count();
        from = page.next;
        if from.is_none() {
            return Ok(count);
        }
    }
}

async fn servers_named(lab: &Lab, compute: &dyn Compute, name: &str) -> Verdict<usize> {
    let (mut count, mut from) = (0, None);
    loop {
        let page = compute.list(&lab.call(), from).await?;
        count += page.items.iter().filter(|machine| machine.name == name).count();
        from = page.next;
        if from.is_none() {
            return Ok(count);
        }
    }
}
