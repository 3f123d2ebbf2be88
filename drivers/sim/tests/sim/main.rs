//! What the simulated cloud promises beyond the contract: one truth in many processes, room, and things that
//! happen behind Isobar's back.

#![allow(clippy::unwrap_used)]

mod behind;
mod journal;
mod room;

use std::{sync::Arc, time::Duration};

use contract::{Call, Cloud, Driver, ExternalRef, MachineSpec, Op, Site, Token, VolumeSpec, compute, site::Place};
use serde_json::Value;
use types::Size;

fn call() -> Call {
    Call::new("test", Duration::from_secs(30))
}

fn site(account: &str, credential: Value) -> Site {
    Site {
        account: account.to_owned(),
        credential,
        ..Site::default()
    }
}

async fn connect(site: &Site) -> Arc<dyn Cloud> {
    sim::Sim.connect(&call(), site).await.unwrap()
}

fn machine(name: &str) -> MachineSpec {
    MachineSpec {
        name: name.to_owned(),
        place: Place::default(),
        shape: compute::Shape {
            vcpus: 1,
            memory: Size::gib(1),
        },
        disks: Vec::new(),
        nics: Vec::new(),
        seed: compute::Seed::default(),
        tags: Vec::new(),
    }
}

fn volume(size: Size) -> VolumeSpec {
    VolumeSpec {
        name: "v".to_owned(),
        place: Place::default(),
        size,
        image: None,
    }
}

async fn make(cloud: &dyn Cloud, name: &str) -> ExternalRef {
    let made = cloud
        .compute()
        .unwrap()
        .create(&call(), &machine(name), &Token::new(name))
        .await;
    done(made.unwrap())
}

fn done<T: std::fmt::Debug>(op: Op<T>) -> T {
    match op {
        Op::Done(value) => value,
        pending => panic!("{pending:?}"),
    }
}
