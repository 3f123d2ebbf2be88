//! A tour of the SDK: make a server, wait for it, list what runs, follow events. Logs in with the OS_* variables.
//!
//!     cargo run -p isobar-sdk --example tour -- IMAGE FLAVOR NETWORK

use std::{pin::pin, time::Duration};

use futures::StreamExt;
use isobar_sdk::{Client, Deadline, Follow, Query, Result, api::server, types::Kind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(image), Some(flavor), Some(network)) = (words.next(), words.next(), words.next()) else {
        eprintln!("usage: tour IMAGE FLAVOR NETWORK");
        return Ok(());
    };
    let client = Client::from_env()?;
    let wanted = server::Create {
        name: "tour".to_owned(),
        image,
        flavor,
        networks: vec![network],
        ..server::Create::default()
    };
    match client.servers().create(&wanted).await {
        Ok(made) => {
            for made in made.items {
                let deadline = Deadline::after(Duration::from_secs(300)).looking_every(Duration::from_secs(1));
                client
                    .settle(made.task, deadline, |task| {
                        eprintln!("{}: {}", task.resource_name, task.progress)
                    })
                    .await?;
            }
        }
        Err(error) if error.kind == Kind::Conflict => eprintln!("it is there already: {error}"),
        Err(error) => return Err(error),
    }
    let mut running = pin!(client.servers().list(Query::new().filter("state", "running")).stream());
    while let Some(server) = running.next().await {
        let server = server?;
        println!("{} {} {:?}", server.name, server.state, server.addresses);
    }
    let mut events = pin!(client.events(Follow::default()));
    client.servers().reboot("tour").await?;
    if let Some(event) = events.next().await {
        println!("{}", event?.kind);
    }
    Ok(())
}
