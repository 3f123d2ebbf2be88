//! The NoCloud volume: a small FAT file system labelled CIDATA with what cloud-init reads at first boot.
//! Format: <https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html>.

use std::io::{Cursor, Write};

use contract::{Error, Result, compute::Seed};

const LABEL: [u8; 11] = *b"CIDATA     ";

/// The image as bytes.
pub fn image(seed: &Seed) -> Result<Vec<u8>> {
    let files = files(seed);
    let content: usize = files.iter().map(|(_, text)| text.len()).sum();
    // 1 MiB is what FAT12 formats well; the rest is room for long user-data.
    let mut disk = Cursor::new(vec![0; (1 << 20) + content.next_multiple_of(1 << 20)]);
    fill(&mut disk, &files).map_err(|e| Error::broken("the cloud-init volume cannot be written").because(e))?;
    Ok(disk.into_inner())
}

fn fill(disk: &mut Cursor<Vec<u8>>, files: &[(&str, String)]) -> std::io::Result<()> {
    fatfs::format_volume(&mut *disk, fatfs::FormatVolumeOptions::new().volume_label(LABEL))?;
    let volume = fatfs::FileSystem::new(disk, fatfs::FsOptions::new())?;
    for (name, text) in files {
        let mut file = volume.root_dir().create_file(name)?;
        file.truncate()?;
        file.write_all(text.as_bytes())?;
    }
    volume.unmount()
}

fn files(seed: &Seed) -> Vec<(&'static str, String)> {
    let nothing = || "#cloud-config\n{}\n".to_owned();
    let mut files = vec![
        ("meta-data", meta_data(seed)),
        ("user-data", seed.user_data.clone().unwrap_or_else(nothing)),
    ];
    if let Some(network) = &seed.network_config {
        files.push(("network-config", network.clone()));
    }
    files
}

/// YAML; each value is written as a JSON string, which is YAML too and needs no quoting rules of its own.
fn meta_data(seed: &Seed) -> String {
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!(
        "instance-id: {}\nlocal-hostname: {}\n",
        quote(&seed.instance_id),
        quote(&seed.hostname)
    );
    if !seed.ssh_keys.is_empty() {
        text.push_str("public-keys:\n");
        for key in &seed.ssh_keys {
            text.push_str(&format!("  - {}\n", quote(key.trim())));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use expect_test::expect;

    use super::*;

    #[test]
    fn a_guest_finds_its_name_keys_and_script() {
        let seed = Seed {
            instance_id: "srv-1".to_owned(),
            hostname: "web: \"1\"".to_owned(),
            ssh_keys: vec!["ssh-ed25519 AAAA me\n".to_owned()],
            user_data: Some("#!/bin/sh\necho hi\n".to_owned()),
            network_config: None,
        };
        let image = image(&seed).unwrap();
        let volume = fatfs::FileSystem::new(Cursor::new(image), fatfs::FsOptions::new()).unwrap();
        let mut text = format!("label {}\n", volume.volume_label());
        for entry in volume.root_dir().iter().map(Result::unwrap) {
            text.push_str(&format!("== {}\n", entry.file_name()));
            entry.to_file().read_to_string(&mut text).unwrap();
        }
        expect![[r##"
            label CIDATA
            == meta-data
            instance-id: "srv-1"
            local-hostname: "web: \"1\""
            public-keys:
              - "ssh-ed25519 AAAA me"
            == user-data
            #!/bin/sh
            echo hi
        "##]]
        .assert_eq(&text);
    }

    #[test]
    fn long_user_data_fits() {
        let seed = Seed {
            user_data: Some("x".repeat(3 << 20)),
            ..Seed::default()
        };
        assert!(image(&seed).unwrap().len() >= 4 << 20);
    }
}
