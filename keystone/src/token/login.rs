//! Proving who somebody is: every method named must succeed, and all must be about one user.

use auth::token::Claims;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use types::{Error, Kind, Result, Timestamp};

use super::request::{self, Request};
use crate::{State, domain, user};

/// Who it is, and how we know.
pub struct Proven {
    pub user: user::Model,
    pub methods: Vec<String>,
    /// The token it was derived from, if any.
    pub parent: Option<Claims>,
}

pub async fn prove(state: &State, request: &Request, now: Timestamp) -> Result<Proven> {
    let identity = &request.identity;
    let mut user: Option<user::Model> = None;
    let mut methods = identity.methods.clone();
    let mut parent = None;
    for method in &identity.methods {
        let proven = match (method.as_str(), &identity.password, &identity.token) {
            ("password", Some(password), _) => by_password(state, &password.user).await?,
            ("token", _, Some(token)) => {
                let (user, claims) = by_token(state, &token.id, now).await?;
                methods.extend(claims.methods.iter().cloned());
                parent = Some(claims);
                user
            }
            ("password" | "token", ..) => {
                return Err(Error::invalid(format!(
                    "the method `{method}` is named but `{method}` is not given"
                )));
            }
            _ => {
                let message = format!("`{method}` is not a way to log in here: use password or token");
                return Err(Error::new(Kind::Unauthenticated, message).code("unknown_method"));
            }
        };
        if user.as_ref().is_some_and(|user| user.id != proven.id) {
            return Err(wrong());
        }
        user = Some(proven);
    }
    methods.sort_unstable();
    methods.dedup();
    let user = user.ok_or_else(wrong)?;
    check_enabled(state, &user).await?;
    Ok(Proven { user, methods, parent })
}

/// One sentence for everything that can be wrong, so that nobody learns which.
fn wrong() -> Error {
    let message = "the user name, domain or password is wrong, or the account is disabled";
    Error::new(Kind::Unauthenticated, message).code("login_failed")
}

async fn by_password(state: &State, given: &request::User) -> Result<user::Model> {
    let found = lookup(state, given).await?;
    let stored = found.as_ref().and_then(|user| user.password_hash.clone());
    match (state.hasher().check(given.password.clone(), stored).await?, found) {
        (true, Some(user)) => Ok(user),
        _ => Err(wrong()),
    }
}

async fn lookup(state: &State, given: &request::User) -> Result<Option<user::Model>> {
    let select = match (&given.id, &given.name) {
        (Some(id), _) => user::Entity::find().filter(user::Column::Id.eq(id.as_str())),
        (None, Some(name)) => {
            let Some(key) = &given.domain else {
                return Err(Error::invalid(
                    "a user name needs the domain it is in: give its id or name",
                ));
            };
            let Some(domain) = domain_of(state, key).await? else {
                return Ok(None);
            };
            user::Entity::find()
                .filter(user::Column::Name.eq(name.as_str()))
                .filter(user::Column::DomainId.eq(domain.id.as_str()))
        }
        (None, None) => return Err(Error::invalid("a password login needs the id or name of the user")),
    };
    state.store().one(select).await
}

/// A domain by id or name.
pub async fn domain_of(state: &State, key: &request::Key) -> Result<Option<domain::Model>> {
    let condition = match (&key.id, &key.name) {
        (Some(id), _) => domain::Column::Id.eq(id.as_str()),
        (None, Some(name)) => domain::Column::Name.eq(name.as_str()),
        (None, None) => return Err(Error::invalid("a domain is named by its id or name")),
    };
    state.store().one(domain::Entity::find().filter(condition)).await
}

async fn by_token(state: &State, token: &str, now: Timestamp) -> Result<(user::Model, Claims)> {
    let (_, claims) = state.verifier().verify_fresh(token, now).await?;
    let user = state.store().one(user::Entity::find_by_id(claims.user.clone())).await?;
    // The verifier may not have heard of a revocation yet; the row has.
    match user.filter(|user| user.epoch == claims.epoch) {
        Some(user) => Ok((user, claims)),
        None => Err(Error::new(Kind::Unauthenticated, "the token was revoked: log in again").code("token_revoked")),
    }
}

async fn check_enabled(state: &State, user: &user::Model) -> Result<()> {
    let domain = state
        .store()
        .one(domain::Entity::find_by_id(user.domain_id.clone()))
        .await?;
    match user.enabled && domain.is_some_and(|domain| domain.enabled) {
        true => Ok(()),
        false => Err(wrong()),
    }
}
