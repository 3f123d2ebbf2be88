//! Lists, hosts and the change feed.

use std::{collections::BTreeMap, time::Duration};

use contract::{Changes, Cursor, ExternalRef};
use types::{Size, states::Power};

use crate::{Broken, Lab, Verdict, ensure};

/// No list of a test is longer.
const PAGES: usize = 1000;

pub async fn r11_pages_hold_everything_once(lab: &Lab) -> Verdict {
    if let Some(disks) = lab.disks()? {
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(lab.volume(disks).await?);
        }
        let (mut seen, mut from) = (Pages::default(), None);
        loop {
            let page = disks.list(&lab.call(), from).await?;
            from = page.next;
            if seen.turn(page.items.into_iter().map(|volume| volume.id), from.as_ref())? {
                break;
            }
        }
        seen.hold(&made)?;
    }
    if let Some(compute) = lab.compute()? {
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(lab.machine(compute).await?);
        }
        let (mut seen, mut from) = (Pages::default(), None);
        loop {
            let page = compute.list(&lab.call(), from).await?;
            from = page.next;
            if seen.turn(page.items.into_iter().map(|machine| machine.id), from.as_ref())? {
                break;
            }
        }
        seen.hold(&made)?;
    }
    Ok(())
}

#[derive(Default)]
struct Pages {
    seen: BTreeMap<ExternalRef, u32>,
    turned: usize,
}

impl Pages {
    /// Takes a page and says whether it was the last.
    fn turn(&mut self, items: impl Iterator<Item = ExternalRef>, next: Option<&Cursor>) -> Verdict<bool> {
        for id in items {
            *self.seen.entry(id).or_default() += 1;
        }
        self.turned += 1;
        ensure!(self.turned < PAGES, "the list does not end");
        Ok(next.is_none())
    }

    fn hold(&self, made: &[ExternalRef]) -> Verdict {
        for id in made {
            ensure!(self.seen.contains_key(id), "{id} is on no page");
        }
        let twice: Vec<_> = self.seen.iter().filter(|(_, count)| **count > 1).collect();
        ensure!(twice.is_empty(), "listed more than once: {twice:?}");
        Ok(())
    }
}

pub async fn r27_hosts_tell_what_they_have(lab: &Lab) -> Verdict {
    let Some(hosts) = lab.cloud.hosts() else { return Ok(()) };
    let (mut seen, mut from) = (Pages::default(), None);
    loop {
        let page = hosts.list(&lab.call(), from).await?;
        for host in page.items.iter().filter(|host| host.reachable) {
            let whole = host.vcpus > 0 && host.memory > Size::ZERO && !host.architecture.is_empty();
            ensure!(whole, "a host lacks facts: {host:?}");
            let again = hosts.get(&lab.call(), &host.id).await?;
            let same = (&again.name, again.vcpus, again.memory) == (&host.name, host.vcpus, host.memory);
            ensure!(same, "list shows {host:?}, get {again:?}");
        }
        from = page.next;
        if seen.turn(page.items.into_iter().map(|host| host.id), from.as_ref())? {
            break;
        }
    }
    seen.hold(&[])
}

pub async fn r29_changes_are_told(lab: &Lab) -> Verdict {
    let (Some(changes), Some(compute)) = (lab.cloud.changes(), lab.compute()?) else {
        return Ok(());
    };
    let before = lab.machine(compute).await?;
    let host = compute.get(&lab.call(), &before).await?.host;
    let host = host.ok_or_else(|| Broken("a cloud with a change feed does not tell a server's host".to_owned()))?;
    let all = changes.next(&lab.call(), &host, None).await?;
    ensure!(all.complete, "the first feed is not complete");
    ensure!(
        all.machines.iter().any(|(id, _)| *id == before),
        "the first feed lacks server {before}"
    );

    lab.done(compute.start(&lab.call(), &before).await).await?;
    let cursor = told(lab, changes, &host, all.cursor, (&before, Power::On)).await?;
    lab.done(compute.delete(&lab.call(), &before).await).await?;
    let cursor = told(lab, changes, &host, cursor, (&before, Power::Missing)).await?;
    let short = lab.call().within(Duration::from_millis(500));
    let after = changes.next(&short, &host, Some(cursor)).await?;
    let again = after.machines.iter().any(|(id, _)| *id == before);
    ensure!(!again, "server {before} is told again after it was told missing");
    Ok(())
}

/// Follows the feed until it tells this, and answers where it goes on.
async fn told(
    lab: &Lab,
    changes: &dyn Changes,
    host: &ExternalRef,
    from: Cursor,
    due: (&ExternalRef, Power),
) -> Verdict<Cursor> {
    let cursor = std::sync::Mutex::new(from);
    let here = || cursor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let look = || async {
        let since = here().clone();
        let call = lab.call().within(Duration::from_secs(2));
        let feed = changes.next(&call, host, Some(since)).await?;
        let seen = feed.machines.iter().any(|(id, power)| (id, *power) == due);
        *here() = feed.cursor.clone();
        Ok(seen.then_some(feed.cursor))
    };
    lab.until(&format!("the feed told {} {}", due.0, due.1), look).await
}
