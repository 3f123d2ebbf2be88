//! The simulated cloud seen from its own side: what really exists in it, and what was ever made twice.

use std::path::Path;

use contract::Site;
use serde_json::json;
use sim::{Control, world::World};
use tokio::runtime::Runtime;

/// The account `lab`, which lives in a file.
pub struct Lab {
    control: Control,
    runtime: Runtime,
}

impl Lab {
    pub fn open(state: &Path) -> Self {
        let site = Site {
            account: "lab".to_owned(),
            credential: json!({ "state": state }),
            hosts: Vec::new(),
            identity: None,
        };
        Self {
            control: Control::open(&site).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    pub fn world(&self) -> World {
        self.runtime.block_on(self.control.world()).unwrap()
    }

    /// How many servers exist now.
    pub fn machines(&self) -> usize {
        self.world().machines.len()
    }

    /// How many volumes and servers were ever made.
    pub fn made(&self) -> u32 {
        self.world().effects.values().map(|effect| effect.made).sum()
    }

    /// How often something was made or deleted.
    pub fn effects(&self) -> u32 {
        self.world()
            .effects
            .values()
            .map(|effect| effect.made + effect.deleted)
            .sum()
    }

    /// Nothing was done twice, whoever died in between.
    pub fn nothing_doubled(&self) {
        let doubled = self.runtime.block_on(self.control.doubled()).unwrap();
        assert!(doubled.is_empty(), "made more than once: {doubled:?}");
    }

    /// Nothing that a server needs is left.
    pub fn is_empty(&self) {
        let world = self.world();
        assert!(world.machines.is_empty(), "servers are left: {:?}", world.machines);
        assert!(world.volumes.is_empty(), "volumes are left: {:?}", world.volumes);
        assert!(world.snapshots.is_empty(), "snapshots are left: {:?}", world.snapshots);
    }
}
