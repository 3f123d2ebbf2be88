//! The region: every resource of the product, its routes and its workflows. This file is the table of contents.

pub mod account;
pub mod address;
pub mod clouds;
pub mod disk;
pub mod flavor;
pub mod host;
pub mod keypair;
pub mod network;
pub mod observe;
pub mod place;
pub mod quota;
pub mod server;
pub mod snapshot;
pub mod storage;
pub mod swap;
pub mod watch;

pub mod audit;
pub mod images;
pub mod ops;
pub mod setup;
pub mod tasks;

mod state;

use axum::Router;
use store::Migration;
use web::docs::{Nothing, Operation};

pub use state::State;

/// Tables of this service.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "region/0001_inventory",
        sql: include_str!("migrations/0001_inventory.sql"),
    },
    Migration {
        name: "region/0002_servers",
        sql: include_str!("migrations/0002_servers.sql"),
    },
    Migration {
        name: "region/0003_guest",
        sql: include_str!("migrations/0003_guest.sql"),
    },
];

/// Every route of the service, behind whatever gate the caller puts in front.
pub fn app(state: State) -> Router {
    parts().0.with_state(state)
}

/// What the OpenAPI document says about them.
pub fn operations() -> Vec<Operation> {
    parts().1
}

fn parts() -> (Router<State>, Vec<Operation>) {
    let mut api = Api::default();
    api.noun(
        web::noun::<_, server::Entity>()
            .update()
            .delete()
            .act::<Nothing, _, _>("start", server::power::start)
            .act("stop", server::power::stop)
            .act("reboot", server::power::reboot)
            .act("resize", server::resize::resize)
            .act("rebuild", server::rebuild::rebuild),
    );
    api.more(server::create::routes());
    api.more(server::console::routes());
    api.noun(
        web::noun::<_, disk::Entity>()
            .create()
            .update()
            .delete()
            .act("attach", disk::attach::attach)
            .act::<Nothing, _, _>("detach", disk::attach::detach)
            .act("resize", disk::resize::resize),
    );
    api.noun(
        web::noun::<_, snapshot::Entity>()
            .create()
            .update()
            .delete()
            .act::<Nothing, _, _>("revert", snapshot::revert::revert),
    );
    api.noun(web::noun::<_, network::Entity>().create().update().delete());
    api.more(address::routes());
    api.noun(web::noun::<_, flavor::Entity>().create().update().delete());
    api.noun(web::noun::<_, keypair::Entity>().create().delete());
    api.noun(
        web::noun::<_, host::Entity>()
            .update()
            .delete()
            .act::<Nothing, _, _>("enable", host::intent::enable)
            .act::<Nothing, _, _>("disable", host::intent::disable)
            .act::<Nothing, _, _>("drain", host::intent::drain),
    );
    api.more(host::join::routes());
    api.noun(web::noun::<_, storage::Entity>());
    api.noun(web::noun::<_, place::region::Entity>());
    api.noun(web::noun::<_, place::zone::Entity>().create().delete());
    api.noun(
        web::noun::<_, account::Entity>()
            .create()
            .update()
            .delete()
            .act::<Nothing, _, _>("sync", account::sync::sync),
    );
    api.more(account::drivers::routes());
    api.more(tasks::routes());
    api.more(ops::routes());
    api.more(quota::routes());
    api.more(audit::routes());
    api.more((web::events::routes(), vec![]));
    (api.router, api.operations)
}

/// Routes and their descriptions, as they are gathered.
type Routes = (Router<State>, Vec<Operation>);

#[derive(Default)]
struct Api {
    router: Router<State>,
    operations: Vec<Operation>,
}

impl Api {
    fn noun<E: web::Resource<State>>(&mut self, noun: web::Noun<State, E>) {
        self.more(noun.into_parts());
    }

    fn more(&mut self, (router, operations): Routes) {
        self.router = std::mem::take(&mut self.router).merge(router);
        self.operations.extend(operations);
    }
}
