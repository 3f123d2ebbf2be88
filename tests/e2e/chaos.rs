//! kill -9 at seeded random moments while hundreds of servers are made, deleted and cancelled: nothing is lost,
//! nothing is doubled, nothing is left over. `cargo xtask chaos` runs it at full size.

mod dice;
mod judge;
mod load;
mod log;
mod size;

use std::time::Duration;

use self::{dice::Dice, load::Load, log::Log, size::Size};
use crate::kit::{Lab, Postgres, Roles, Site, wait, wait_until, within};

/// After everybody serves again, the next process dies after so long although the work it was to wait for was not done:
/// what is left may wait for the lease of one that died before.
const PATIENCE: Duration = Duration::from_secs(20);
/// Seconds for a process to serve.
const START: u64 = 120;
/// Seconds for what is left after the last kill.
const REST: u64 = 1200;
/// PostgreSQL is every so manieth victim.
const DATABASE_EVERY: usize = 10;

#[test]
fn chaos_on_postgres() {
    let site = Site::new();
    let postgres = Postgres::start(&site);
    let mut roles = Roles::with_regions(&site, &postgres.url, 3);
    chaos(&site, &mut roles, Some(&postgres));
    roles.stop();
}

#[test]
fn chaos_on_sqlite() {
    let site = Site::new();
    let mut roles = Roles::alone(&site);
    chaos(&site, &mut roles, None);
    roles.stop();
}

fn chaos(site: &Site, roles: &mut Roles, postgres: Option<&Postgres>) {
    let size = Size::read();
    let mut log = Log::new(&size);
    let lab = furnish(site);
    let load = Load::start(site, &size);
    let mut dice = Dice::new(size.seed);
    for n in 1..=size.kills {
        let (effects, overdue) = wait_for_work(roles, &lab, &load, dice.share(), size.kills - n);
        let victim = match postgres {
            Some(_) if n % DATABASE_EVERY == 0 => "postgres".to_owned(),
            _ => dice.victim(&roles.names()),
        };
        log.kill(&victim, effects, &load, overdue);
        match postgres {
            Some(postgres) if victim == "postgres" => postgres.crash(),
            _ => {
                roles.kill(&victim);
                roles.start_again(&victim);
            }
        }
    }
    wait_until("everybody serves again", START, || roles.ready());
    let fates = load.end(REST, || log.show(lab.effects(), "waiting for the rest"));
    judge::all_well(site, &lab, &fates);
    judge::leave(site, &lab);
    log.done();
}

/// Until the cloud has done as much more as it should before the next kill: `share`, 0 to 2, of an equal part of what
/// is left. How much it has done, and whether that was waited for in vain.
fn wait_for_work(roles: &mut Roles, lab: &Lab, load: &Load, share: f64, kills_left: usize) -> (u32, bool) {
    let left = load.effects_wanted().saturating_sub(lab.effects());
    let part = f64::from(left) / (kills_left + 1) as f64;
    let goal = lab.effects() + (part * share) as u32;
    let reached = || (lab.effects() >= goal).then_some(());
    wait("the work goes on, or everybody serves", START, || {
        if roles.ready() { Some(()) } else { reached() }
    });
    let overdue = within(PATIENCE, reached).is_none();
    (lab.effects(), overdue)
}

/// A cloud slow enough that somebody can die while it works, and room for everything.
fn furnish(site: &Site) -> Lab {
    let state = site.path("sim.journal");
    let lab = Lab::open(&state);
    site.furnish(&format!(
        "hosts=20 --option state={} --option latency_ms=300",
        state.display()
    ));
    site.ok("network create wide --cidr 10.64.0.0/16");
    lab
}
