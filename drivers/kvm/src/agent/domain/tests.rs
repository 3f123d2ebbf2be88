//! What libvirt is told about a server, and what is read back.

use expect_test::expect;

use super::*;

fn plan(tags: &[(String, String)]) -> Plan<'_> {
    Plan {
        uuid: "6b2c".to_owned(),
        name: "web-6b2c".to_owned(),
        mark: Mark {
            host: "host-1".to_owned(),
            token: "t-1".to_owned(),
            name: "web <1>".to_owned(),
        },
        tags,
        accel: Accel::Qemu,
        shape: Shape {
            vcpus: 2,
            memory: Size::mib(256),
        },
        disks: vec!["/p/a.qcow2".to_owned(), "/p/b&c.qcow2".to_owned()],
        nics: vec![("52:54:00:00:00:01".to_owned(), "isobar-1".to_owned())],
        seed: "/s/6b2c.img".to_owned(),
        console: "/c/6b2c.log".to_owned(),
    }
}

/// One element a line, so that a change is a readable difference.
fn lines(xml: &str) -> String {
    let root_ports = "<controller type='pci' model='pcie-root-port'/>";
    let ports = xml.matches(root_ports).count();
    let once = xml.replacen(&root_ports.repeat(ports), &format!("<!-- {ports} root ports -->"), 1);
    once.replace("><", ">\n<").replace(std::env::consts::ARCH, "ARCH") + "\n"
}

#[test]
fn a_server_as_libvirt_sees_it() {
    let tags = [("team".to_owned(), "a&b".to_owned())];
    expect![[r#"
        <domain type='qemu'>
        <name>web-6b2c</name>
        <uuid>6b2c</uuid>
        <title>web &lt;1&gt;</title>
        <metadata>
        <isobar:made xmlns:isobar='urn:isobar:host:1' host='host-1' token='t-1' name='web &lt;1&gt;'>
        <isobar:tag key='team' value='a&amp;b'/>
        </isobar:made>
        </metadata>
        <memory unit='KiB'>262144</memory>
        <vcpu>2</vcpu>
        <os>
        <type arch='ARCH' machine='q35'>hvm</type>
        </os>
        <features>
        <acpi/>
        <apic/>
        </features>
        <clock offset='utc'/>
        <on_poweroff>destroy</on_poweroff>
        <on_reboot>restart</on_reboot>
        <on_crash>destroy</on_crash>
        <devices>
        <controller type='pci' model='pcie-root'/>
        <!-- 14 root ports -->
        <controller type='usb' model='none'/>
        <disk type='file' device='disk'>
        <driver name='qemu' type='qcow2' discard='unmap'/>
        <source file='/p/a.qcow2'/>
        <target dev='vda' bus='virtio'/>
        <boot order='1'/>
        </disk>
        <disk type='file' device='disk'>
        <driver name='qemu' type='qcow2' discard='unmap'/>
        <source file='/p/b&amp;c.qcow2'/>
        <target dev='vdb' bus='virtio'/>
        </disk>
        <disk type='file' device='disk'>
        <driver name='qemu' type='raw'/>
        <source file='/s/6b2c.img'/>
        <target dev='vdz' bus='virtio'/>
        <readonly/>
        </disk>
        <interface type='network'>
        <mac address='52:54:00:00:00:01'/>
        <source network='isobar-1'/>
        <model type='virtio'/>
        </interface>
        <serial type='pty'>
        <log file='/c/6b2c.log' append='on'/>
        </serial>
        <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>
        <video>
        <model type='vga'/>
        </video>
        <rng model='virtio'>
        <backend model='random'>/dev/urandom</backend>
        </rng>
        <memballoon model='virtio'/>
        </devices>
        </domain>
    "#]]
    .assert_eq(&lines(&write(&plan(&tags))));
}

#[test]
fn what_is_written_is_read_back() {
    let read = read(&write(&plan(&[]))).unwrap().unwrap();
    assert_eq!(read.mark.name, "web <1>");
    assert_eq!(read.shape, plan(&[]).shape);
    assert_eq!(read.disks[1], ("vdb".to_owned(), "/p/b&c.qcow2".to_owned()));
    assert_eq!(read.nics, plan(&[]).nics);
    assert_eq!(super::read("<domain><name>other</name></domain>").unwrap(), None);
}

#[test]
fn a_resize_changes_nothing_else() {
    let small = "<domain>\n<memory unit='KiB'>1</memory><currentMemory>1</currentMemory><vcpu placement='static'>1</vcpu><os/></domain>";
    let shape = Shape {
        vcpus: 4,
        memory: Size::mib(1),
    };
    expect![[r#"
        <domain>
        <memory unit='KiB'>1024</memory><vcpu>4</vcpu><os/></domain>"#]]
    .assert_eq(&with_shape(small, shape).unwrap());
}

#[test]
fn targets_never_meet_the_seed() {
    let all: std::collections::BTreeSet<_> = (0..200).map(target).collect();
    assert_eq!(all.len(), 200);
    assert!(!all.contains("vdz"));
    assert_eq!(
        (target(24), target(25), target(51)),
        ("vdy".to_owned(), "vdaa".to_owned(), "vdba".to_owned())
    );
}
