//! A server as libvirt's domain XML: written from a spec, read back into facts. Pure.

use contract::compute::Shape;
use roxmltree::Node;
use types::Size;

use crate::agent::{
    accel::Accel,
    xml::{self, Mark, child, escape},
};

/// PCIe ports left free for disks that are attached later.
const SPARE_PORTS: usize = 8;

/// What goes into a domain, with every reference resolved to a path or a name on this host.
pub struct Plan<'a> {
    pub uuid: String,
    /// Unique in libvirt.
    pub name: String,
    pub mark: Mark,
    pub tags: &'a [(String, String)],
    pub accel: Accel,
    pub shape: Shape,
    /// Paths of qcow2 files; the first is booted from.
    pub disks: Vec<String>,
    /// Card address and libvirt network.
    pub nics: Vec<(String, String)>,
    pub seed: String,
    pub console: String,
}

pub fn write(plan: &Plan) -> String {
    let ports = plan.disks.len() + plan.nics.len() + 3 + SPARE_PORTS;
    let mut devices = "<controller type='pci' model='pcie-root'/>".to_owned();
    devices.push_str(&"<controller type='pci' model='pcie-root-port'/>".repeat(ports));
    devices.push_str("<controller type='usb' model='none'/>");
    for (index, path) in plan.disks.iter().enumerate() {
        devices.push_str(&disk(
            path,
            &target(index),
            if index == 0 { Boot::First } else { Boot::Never },
        ));
    }
    devices.push_str(&format!(
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>\
         <target dev='vdz' bus='virtio'/><readonly/></disk>",
        escape(&plan.seed)
    ));
    for (mac, network) in &plan.nics {
        devices.push_str(&format!(
            "<interface type='network'><mac address='{}'/><source network='{}'/><model type='virtio'/></interface>",
            escape(mac),
            escape(network)
        ));
    }
    devices.push_str(&format!(
        "<serial type='pty'><log file='{}' append='on'/></serial>\
         <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video>\
         <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><memballoon model='virtio'/>",
        escape(&plan.console)
    ));
    head(plan) + "<devices>" + &devices + "</devices></domain>"
}

fn head(plan: &Plan) -> String {
    let (kind, cpu) = match plan.accel {
        Accel::Kvm => ("kvm", "<cpu mode='host-passthrough' check='none' migratable='on'/>"),
        Accel::Qemu => ("qemu", ""),
    };
    format!(
        "<domain type='{kind}'><name>{}</name><uuid>{}</uuid><title>{}</title>{}\
         <memory unit='KiB'>{}</memory><vcpu>{}</vcpu>\
         <os><type arch='{}' machine='q35'>hvm</type></os><features><acpi/><apic/></features>{cpu}\
         <clock offset='utc'/><on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>",
        escape(&plan.name),
        plan.uuid,
        escape(&plan.mark.name.replace('\n', " ")),
        plan.mark.write(plan.tags),
        kib(plan.shape.memory),
        plan.shape.vcpus,
        std::env::consts::ARCH,
    )
}

fn kib(memory: Size) -> u64 {
    memory.as_bytes().div_ceil(1024)
}

/// Whether the firmware looks on this disk for a system.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    First,
    Never,
}

/// One disk; also what attach and detach hand to libvirt.
pub fn disk(path: &str, target: &str, boot: Boot) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/><source file='{}'/>\
         <target dev='{target}' bus='virtio'/>{}</disk>",
        escape(path),
        if boot == Boot::First { "<boot order='1'/>" } else { "" },
    )
}

/// `vda`, `vdb`, ... `vdy`; the seed has `vdz`. Beyond that `vdaa` and on.
pub fn target(index: usize) -> String {
    let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
    match index {
        0..25 => format!("vd{}", letter(index)),
        _ => format!("vd{}{}", letter((index - 25) / 26), letter(index - 25)),
    }
}

/// What the domain says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub mark: Mark,
    pub shape: Shape,
    /// Target and path of each disk, the seed included.
    pub disks: Vec<(String, String)>,
    /// Card address and libvirt network.
    pub nics: Vec<(String, String)>,
}

/// `None` when it is not ours.
pub fn read(text: &str) -> types::Result<Option<Read>> {
    let document = xml::parse(text)?;
    let root = document.root_element();
    let Some(mark) = Mark::read(root) else {
        return Ok(None);
    };
    let number = |name: &str| {
        xml::text(root, name)
            .and_then(|n| n.trim().parse::<u64>().ok())
            .unwrap_or_default()
    };
    let devices = child(root, "devices");
    let each = |name: &'static str| {
        devices
            .into_iter()
            .flat_map(move |d| d.children().filter(move |c| c.has_tag_name(name)))
    };
    Ok(Some(Read {
        mark,
        shape: Shape {
            vcpus: number("vcpu") as u32,
            memory: Size::bytes(number("memory") * 1024),
        },
        disks: each("disk")
            .filter_map(|d| pair(d, ("target", "dev"), ("source", "file")))
            .collect(),
        nics: each("interface")
            .filter_map(|d| pair(d, ("mac", "address"), ("source", "network")))
            .collect(),
    }))
}

fn pair(node: Node<'_, '_>, first: (&str, &str), second: (&str, &str)) -> Option<(String, String)> {
    Some((
        xml::attribute(node, &[first.0], first.1)?.to_owned(),
        xml::attribute(node, &[second.0], second.1)?.to_owned(),
    ))
}

/// The same domain with another shape: one definition, so that there is no state in between.
pub fn with_shape(text: &str, shape: Shape) -> types::Result<String> {
    let document = xml::parse(text)?;
    let root = document.root_element();
    let memory = kib(shape.memory);
    let mut cuts: Vec<_> = root
        .children()
        .filter_map(|node| match node.tag_name().name() {
            "memory" => Some((node.range(), format!("<memory unit='KiB'>{memory}</memory>"))),
            "currentMemory" => Some((node.range(), String::new())),
            "vcpu" => Some((node.range(), format!("<vcpu>{}</vcpu>", shape.vcpus))),
            _ => None,
        })
        .collect();
    cuts.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut out = text.to_owned();
    for (range, new) in cuts {
        out.replace_range(range, &new);
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
