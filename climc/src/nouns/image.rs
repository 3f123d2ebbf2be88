//! Images: filled from a file or an address, saved to a file.

use std::{fs::Metadata, io, path::Path};

use bytes::Bytes;
use clap::Command;
use futures::{Stream, stream};
use isobar_sdk::NewImage;
use serde_json::Value;
use tokio::io::AsyncReadExt;

use crate::{
    app::deadline,
    args,
    failure::{Failure, INTERRUPTED},
    generic::{DELETE, LIST, SHOW},
    noun::{Cx, Done, Home, Noun, Verb},
    output::Shape,
    progress::Progress,
};

pub static IMAGE: Noun = Noun {
    name: "image",
    about: "What root disks begin as",
    home: Home::Image,
    columns: &[
        "name",
        "status",
        "disk_format",
        "size:size",
        "visibility",
        "created_at:age",
    ],
    wide: &["id", "virtual_size:size", "checksum", "owner"],
    verbs: &[CREATE, LIST, SHOW, SAVE, DELETE],
};

const CREATE: Verb = Verb {
    name: "create",
    about: "Make one from a file or an address",
    examples: "  climc image create debian --file debian-12.qcow2 --format qcow2 --wait
  climc image create debian --url https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-amd64.qcow2 --format qcow2 --wait",
    args: create_args,
    run: |cx| Box::pin(create(cx)),
};

const SAVE: Verb = Verb {
    name: "save",
    about: "Fetch its contents into a file and check them",
    examples: "  climc image save debian --file debian.qcow2",
    args: |c| {
        c.arg(args::key())
            .arg(args::opt("file", "FILE", "Where to").required(true))
    },
    run: |cx| Box::pin(save(cx)),
};

fn create_args(command: Command) -> Command {
    args::waiting(command.arg(args::key().help("Its name")))
        .arg(
            args::opt("file", "FILE", "From this file")
                .conflicts_with("url")
                .required_unless_present("url"),
        )
        .arg(args::opt("url", "URL", "Fetched by the service from this address"))
        .arg(args::opt("format", "FORMAT", "raw, qcow2, vmdk, ...").required(true))
        .arg(args::opt("visibility", "WHO", "private, shared, community or public"))
        .arg(args::many("property", "KEY=VALUE", "Something to remember; may be repeated").value_parser(args::pair))
}

async fn create(cx: Cx<'_>) -> Done {
    // Opened first: a file that is not there must not leave an empty image behind.
    let file = match cx.text("file") {
        Some(path) => Some(open(path).await?),
        None => None,
    };
    let wanted = NewImage {
        name: cx.need("name")?.to_owned(),
        disk_format: cx.need("format")?.to_owned(),
        visibility: cx.owned("visibility"),
        properties: args::pairs(cx.list("property")).collect(),
    };
    let client = cx.app.client()?;
    let mut image = client.images().create(&wanted).await?;
    let id = image.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    tokio::select! {
        filled = fill(cx, &id, file) => filled?,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("interrupted\nhint: climc image delete {id}");
            return Ok(INTERRUPTED);
        }
    }
    if cx.flag("wait") {
        let progress = Progress::tasks(1);
        let show = |image: &Value| {
            progress.message(format!(
                "image {}: {}",
                wanted.name,
                image["status"].as_str().unwrap_or("?")
            ))
        };
        image = client
            .images()
            .wait_active(&id, deadline(cx.value("timeout")), show)
            .await?;
    } else if let Ok(now) = client.images().get(&id).await {
        image = now;
    }
    cx.app.output.print(cx.noun, Shape::One, vec![image]).map(|()| 0)
}

async fn fill(cx: Cx<'_>, id: &str, file: Option<(tokio::fs::File, Metadata)>) -> Result<(), Failure> {
    let client = cx.app.client()?;
    let Some((file, about)) = file else {
        return Ok(client.images().import(id, cx.need("url")?).await?);
    };
    let length = about.is_file().then_some(about.len());
    let progress = Progress::bytes(length);
    let sent = client.images().upload(id, length, pieces(file, &progress)).await;
    if let Err(error) = sent {
        // An image without contents is of no use to anybody.
        let _ = client.images().delete(id).await;
        return Err(error.into());
    }
    Ok(())
}

async fn open(path: &str) -> Result<(tokio::fs::File, Metadata), Failure> {
    let unreadable = |e: io::Error| Failure::local(format!("`{path}` cannot be read"), e);
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let about = file.metadata().await.map_err(unreadable)?;
    match about.is_dir() {
        true => Err(Failure::usage(format!("`{path}` is a directory, not an image"))),
        false => Ok((file, about)),
    }
}

/// The file in pieces of a mebibyte.
fn pieces(file: tokio::fs::File, progress: &Progress) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let bar = progress.handle();
    stream::try_unfold(file, move |mut file| {
        let bar = bar.clone();
        async move {
            let mut piece = Vec::with_capacity(1 << 20);
            let read = (&mut file).take(1 << 20).read_to_end(&mut piece).await?;
            if let Some(bar) = bar {
                bar.inc(read as u64);
            }
            Ok((read > 0).then(|| (Bytes::from(piece), file)))
        }
    })
}

async fn save(cx: Cx<'_>) -> Done {
    let (key, file) = (cx.need("name")?, cx.need("file")?);
    let progress = Progress::bytes(None);
    let client = cx.app.client()?;
    let bytes = client
        .images()
        .save(key, Path::new(file), |done, _| progress.at(done))
        .await?;
    drop(progress);
    cx.app
        .say(&format!("image {key} saved to {file}: {bytes} bytes, checksum right"))
        .map(|()| 0)
}
