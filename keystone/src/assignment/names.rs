//! Names of what assignments refer to, fetched once for a whole list.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use store::Store;
use types::Result;

use super::list::Entry;
use crate::{domain, group, project, role, user};

const KINDS: [&str; 5] = ["user", "group", "project", "role", "domain"];

/// By kind and id: the name, and the id of the domain it is in.
pub struct Names {
    known: HashMap<(&'static str, String), (String, Option<String>)>,
    domains: HashMap<String, String>,
}

impl Names {
    pub async fn load(store: &Store, entries: &[Entry]) -> Result<Self> {
        let ids = |kind: &str| -> Vec<String> {
            let actors = entries
                .iter()
                .filter(|(row, _)| row.actor_kind == kind)
                .map(|(row, _)| &row.actor_id);
            let targets = entries
                .iter()
                .filter(|(row, _)| row.target_kind == kind)
                .map(|(row, _)| &row.target_id);
            let mut ids: Vec<String> = actors.chain(targets).cloned().collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let mut known = HashMap::new();
        for user in store
            .all(user::Entity::find().filter(user::Column::Id.is_in(ids("user"))))
            .await?
        {
            known.insert(
                ("user", user.id.to_string()),
                (user.name, Some(user.domain_id.to_string())),
            );
        }
        for group in store
            .all(group::Entity::find().filter(group::Column::Id.is_in(ids("group"))))
            .await?
        {
            known.insert(
                ("group", group.id.to_string()),
                (group.name, Some(group.domain_id.to_string())),
            );
        }
        for project in store
            .all(project::Entity::find().filter(project::Column::Id.is_in(ids("project"))))
            .await?
        {
            known.insert(
                ("project", project.id.to_string()),
                (project.name, Some(project.domain_id.to_string())),
            );
        }
        for role in store.all(role::Entity::find()).await? {
            known.insert(("role", role.id.to_string()), (role.name, None));
        }
        let mut domains = HashMap::new();
        for domain in store.all(domain::Entity::find()).await? {
            known.insert(("domain", domain.id.to_string()), (domain.name.clone(), None));
            domains.insert(domain.id.to_string(), domain.name);
        }
        Ok(Self { known, domains })
    }

    pub fn object(&self, kind: &str, id: &str) -> Value {
        let found = KINDS
            .iter()
            .find(|known| **known == kind)
            .and_then(|kind| self.known.get(&(*kind, id.to_owned())));
        let Some((name, domain)) = found else {
            return json!({ "id": id, "name": "" });
        };
        match domain {
            Some(domain) => {
                let domain_name = self.domains.get(domain);
                json!({ "id": id, "name": name, "domain": { "id": domain, "name": domain_name } })
            }
            None => json!({ "id": id, "name": name }),
        }
    }
}
