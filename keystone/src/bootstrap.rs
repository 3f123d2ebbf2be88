//! The first start: the default domain, the personas, the administrator, the catalog, a signing key.
//! Every step is "insert unless it is there", so replicas may start at once and restarts change nothing.

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryTrait,
    sea_query::OnConflict,
};
use store::{Store, Tx};
use types::{DomainId, Error, Json, ProjectId, Result, RoleId, Timestamp, UserId};

use crate::{
    assignment, domain, endpoint, key,
    password::{Hasher, Secret},
    project, region, revocation, role, service, user,
};

/// What the first start needs to be told.
pub struct Bootstrap {
    /// Used only if there is no user `admin` yet.
    pub admin_password: String,
    /// The password of the user `isobar`; a changed one takes effect.
    pub service_secret: String,
    pub region: String,
}

/// What is there now.
#[derive(Debug, PartialEq, Eq)]
pub struct Made {
    pub admin: UserId,
    pub admin_project: ProjectId,
    pub service: UserId,
    /// Whether the administrator was made now, with the password given.
    pub fresh: bool,
}

/// Type, name and path below the origin of what this installation offers.
const SERVICES: &[(&str, &str, &str)] = &[
    ("identity", "keystone", "/identity/v3"),
    ("image", "glance", "/image"),
    ("isobar", "isobar", ""),
];

pub async fn bootstrap(store: &Store, wanted: &Bootstrap) -> Result<Made> {
    let now = Timestamp::now();
    let hasher = Hasher::new()?;
    let domain = auth::policy::default_domain();
    let admin_hash = match find_user(store, &domain, "admin").await? {
        Some(_) => None,
        None => Some(hasher.hash(wanted.admin_password.clone()).await?),
    };
    let service_hash = service_hash(store, &hasher, &domain, wanted).await?;
    let mut tx = store.begin().await?;
    insert(
        &tx,
        domain_row(&domain, now).into_active_model().reset_all(),
        &[domain::Column::Id],
    )
    .await?;
    let mut roles = HashMap::new();
    for name in auth::policy::ROLES {
        roles.insert(*name, ensure_role(&tx, name, now).await?);
    }
    let admin_project = ensure_project(&tx, &domain, "admin", now).await?;
    let service_project = ensure_project(&tx, &domain, "service", now).await?;
    let (admin, fresh) = ensure_user(&mut tx, &domain, "admin", admin_hash, Some(&admin_project), now).await?;
    let (service, _) = ensure_user(&mut tx, &domain, "isobar", service_hash, Some(&service_project), now).await?;
    if fresh {
        assign(&tx, &admin, "project", admin_project.as_str(), &roles["admin"]).await?;
        assign(&tx, &admin, "system", assignment::ALL, &roles["admin"]).await?;
    }
    assign(&tx, &service, "project", service_project.as_str(), &roles["service"]).await?;
    ensure_catalog(&tx, &wanted.region, now).await?;
    tx.wake(revocation::CHANNEL);
    tx.commit().await?;
    key::ensure(store, now).await?;
    revocation::forget(store, now).await?;
    Ok(Made {
        admin,
        admin_project,
        service,
        fresh,
    })
}

async fn find_user(store: &Store, domain: &DomainId, name: &str) -> Result<Option<user::Model>> {
    let select = user::Entity::find()
        .filter(user::Column::DomainId.eq(domain.as_str()))
        .filter(user::Column::Name.eq(name));
    store.one(select).await
}

/// The hash of the service secret, unless the stored one fits already.
async fn service_hash(store: &Store, hasher: &Hasher, domain: &DomainId, wanted: &Bootstrap) -> Result<Option<Secret>> {
    if let Some(user) = find_user(store, domain, "isobar").await?
        && hasher.check(wanted.service_secret.clone(), user.password_hash).await?
    {
        return Ok(None);
    }
    hasher.hash(wanted.service_secret.clone()).await.map(Some)
}

/// Inserts unless a row with this key is there; whether it was inserted.
async fn insert<A>(tx: &Tx, row: A, key: &[<A::Entity as EntityTrait>::Column]) -> Result<bool>
where
    A: ActiveModelTrait,
{
    let once = OnConflict::columns(key.iter().copied()).do_nothing().to_owned();
    let insert = A::Entity::insert(row).on_conflict(once);
    Ok(tx.execute(insert.as_query()).await? == 1)
}

fn domain_row(id: &DomainId, now: Timestamp) -> domain::Model {
    domain::Model {
        id: id.clone(),
        name: "Default".to_owned(),
        description: "The default domain".to_owned(),
        enabled: true,
        extra: Json::default(),
        created_at: now,
    }
}

async fn ensure_role(tx: &Tx, name: &str, now: Timestamp) -> Result<RoleId> {
    let row = role::Model {
        id: RoleId::new(),
        name: name.to_owned(),
        description: String::new(),
        extra: Json::default(),
        created_at: now,
    };
    insert(tx, row.into_active_model().reset_all(), &[role::Column::Name]).await?;
    let role = tx.one(role::Entity::find().filter(role::Column::Name.eq(name))).await?;
    role.map(|role| role.id).ok_or_else(|| vanished("role", name))
}

async fn ensure_project(tx: &Tx, domain: &DomainId, name: &str, now: Timestamp) -> Result<ProjectId> {
    let row = project::Model {
        id: ProjectId::new(),
        domain_id: domain.clone(),
        parent_id: None,
        name: name.to_owned(),
        description: String::new(),
        enabled: true,
        tags: Json::default(),
        extra: Json::default(),
        created_at: now,
    };
    let key = [project::Column::DomainId, project::Column::Name];
    insert(tx, row.into_active_model().reset_all(), &key).await?;
    let select = project::Entity::find()
        .filter(project::Column::DomainId.eq(domain.as_str()))
        .filter(project::Column::Name.eq(name));
    tx.one(select)
        .await?
        .map(|project| project.id)
        .ok_or_else(|| vanished("project", name))
}

/// The user with this name; a hash given replaces the one of a user who is there already.
async fn ensure_user(
    tx: &mut Tx,
    domain: &DomainId,
    name: &str,
    hash: Option<Secret>,
    project: Option<&ProjectId>,
    now: Timestamp,
) -> Result<(UserId, bool)> {
    let row = user::Model {
        id: UserId::new(),
        domain_id: domain.clone(),
        name: name.to_owned(),
        enabled: true,
        default_project_id: project.cloned(),
        password_hash: hash.clone(),
        password_at: Some(now),
        epoch: 1,
        extra: Json::default(),
        created_at: now,
    };
    let key = [user::Column::DomainId, user::Column::Name];
    let inserted = insert(tx, row.into_active_model().reset_all(), &key).await?;
    let select = user::Entity::find()
        .filter(user::Column::DomainId.eq(domain.as_str()))
        .filter(user::Column::Name.eq(name));
    let mut user = tx.one(select).await?.ok_or_else(|| vanished("user", name))?;
    if name != "admin" && !inserted && hash.is_some() {
        user.password_hash = hash;
        user.password_at = Some(now);
        revocation::raise(tx, &mut user, now).await?;
        let changed = user.clone().into_active_model().reset_all();
        tx.update(
            user::Entity::update_many()
                .set(changed)
                .filter(user::Column::Id.eq(user.id.as_str())),
        )
        .await?;
    }
    Ok((user.id, inserted))
}

fn vanished(noun: &str, name: &str) -> Error {
    Error::broken(format!("the {noun} `{name}` was stored and is not there"))
}

async fn assign(tx: &Tx, user: &UserId, target_kind: &str, target_id: &str, role: &RoleId) -> Result<()> {
    use assignment::Column;
    let row = assignment::ActiveModel {
        actor_kind: Set("user".to_owned()),
        actor_id: Set(user.to_string()),
        target_kind: Set(target_kind.to_owned()),
        target_id: Set(target_id.to_owned()),
        role_id: Set(role.clone()),
    };
    let key = [
        Column::ActorKind,
        Column::ActorId,
        Column::TargetKind,
        Column::TargetId,
        Column::RoleId,
    ];
    insert(tx, row, &key).await.map(drop)
}

/// Services and endpoints have ids that say what they are, so that they are made once.
async fn ensure_catalog(tx: &Tx, region: &str, now: Timestamp) -> Result<()> {
    let row = region::Model {
        id: region.to_owned(),
        parent_region_id: None,
        description: String::new(),
        extra: Json::default(),
        created_at: now,
    };
    insert(tx, row.into_active_model().reset_all(), &[region::Column::Id]).await?;
    for (kind, name, path) in SERVICES {
        let row = service::Model {
            id: (*kind).to_owned(),
            r#type: (*kind).to_owned(),
            name: (*name).to_owned(),
            description: String::new(),
            enabled: true,
            extra: Json::default(),
            created_at: now,
        };
        insert(tx, row.into_active_model().reset_all(), &[service::Column::Id]).await?;
        for interface in endpoint::INTERFACES {
            let row = endpoint::Model {
                id: format!("{kind}-{interface}-{region}"),
                service_id: (*kind).to_owned(),
                region_id: Some(region.to_owned()),
                interface: (*interface).to_owned(),
                url: format!("{}{path}", endpoint::ORIGIN),
                enabled: true,
                extra: Json::default(),
                created_at: now,
            };
            insert(tx, row.into_active_model().reset_all(), &[endpoint::Column::Id]).await?;
        }
    }
    Ok(())
}
