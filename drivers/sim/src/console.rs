//! What a simulated guest writes to its console: the lines that Isobar's own small guest writes when it boots.

use types::states::Power;

use crate::world::{Machine, World};

/// Everything since the server was made, one block per boot.
pub(crate) fn text(world: &World, row: &Machine, now: u64) -> String {
    let booting = row.turn.is_some_and(|turn| turn.to == Power::On && turn.at > now);
    let boots = row.boots - u32::from(booting && row.boots > 0);
    boot(world, row).repeat(boots as usize)
}

fn boot(world: &World, row: &Machine) -> String {
    let hostname = match row.seed.hostname.as_str() {
        "" => &row.name,
        given => given,
    };
    let mut lines = vec![
        "[    0.000000] Linux version 6.1.0-sim (isobar) #1 SMP".to_owned(),
        format!("[    0.412000] smp: Brought up 1 node, {} CPUs", row.shape.vcpus),
        format!("Isobar guest: hello from {hostname}"),
    ];
    lines.extend(
        row.seed
            .ssh_keys
            .iter()
            .map(|key| format!("Isobar guest: ssh key {key}")),
    );
    lines.extend(
        addresses(world, row)
            .enumerate()
            .map(|(n, ip)| format!("Isobar guest: address {ip} on eth{n}")),
    );
    let sizes = row
        .disks
        .iter()
        .filter_map(|id| world.volumes.get(id))
        .map(|disk| disk.size.as_bytes());
    lines.extend(
        sizes
            .zip('a'..='z')
            .map(|(size, letter)| format!("Isobar guest: disk vd{letter} {size}")),
    );
    if row.seed.user_data.as_ref().is_some_and(|text| text.starts_with("#!")) {
        lines.push("Isobar guest: user-data exit 0".to_owned());
    }
    lines.push("Isobar guest: ready\n".to_owned());
    lines.join("\n")
}

/// What the cards were given, or have reserved.
pub(crate) fn addresses<'a>(world: &'a World, row: &'a Machine) -> impl Iterator<Item = String> + 'a {
    row.nics.iter().filter_map(|nic| {
        let reserved = || {
            let network = world.networks.get(nic.network.as_str())?;
            let lease = network.leases.iter().find(|lease| lease.mac == nic.mac)?;
            Some(lease.address.clone())
        };
        nic.address.clone().or_else(reserved)
    })
}

/// The last `limit` bytes, cut between characters.
pub(crate) fn tail(text: String, limit: usize) -> String {
    let from = text.len().saturating_sub(limit);
    let from = (from..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    text[from..].to_owned()
}
