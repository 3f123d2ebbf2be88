//! Logging in, and what can be asked about a token: its content, its end, where else its user may go.

mod body;
mod login;
mod reachable;
mod request;
mod scope;

use auth::{Scope, token::Claims};
use axum::{
    Extension, Router,
    extract::State as FromState,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use types::{Error, Kind, Result};

use crate::{
    State,
    answer::{Answer, created, done, ok},
    attributes::Body,
    caller::{Caller, header},
    front::Origin,
    key,
    query::{Parameters, Query},
    resource::finish,
    revocation,
};

const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");

pub fn routes() -> Router<State> {
    Router::new()
        .route("/auth/tokens", post(issue).get(show).delete(revoke))
        .route("/auth/catalog", get(reachable::catalog))
        .route("/auth/projects", get(reachable::projects))
        .route("/auth/domains", get(reachable::domains))
        .route("/auth/system", get(reachable::system))
}

/// Login: proves who it is, works out what the token is for, signs it.
async fn issue(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    parameters: Parameters,
    body: Body,
) -> Answer {
    // Before anything is read: whatever is revoked from here on ends this token too.
    let now = state.now();
    let request = request::parse(body)?;
    let proven = login::prove(&state, &request, now).await?;
    let granted = scope::grant(&state, &proven.user, request.scope.as_ref()).await?;
    let mut audit_ids = vec![auth::token::audit_id()];
    let mut expires_at = now + state.token_life();
    if let Some(parent) = &proven.parent {
        audit_ids.extend(parent.audit_ids.last().cloned());
        expires_at = expires_at.min(parent.expires_at);
    }
    let claims = Claims {
        user: proven.user.id.clone(),
        user_name: proven.user.name.clone(),
        domain: proven.user.domain_id.clone(),
        scope: granted.scope,
        roles: granted.roles,
        issued_at: now,
        expires_at,
        audit_ids,
        epoch: proven.user.epoch,
        methods: proven.methods,
    };
    let token = key::signer(state.store()).await?.sign(&claims)?;
    let with_catalog = Query::new(parameters).get("nocatalog").is_none();
    let body = body::describe(&state, &claims, with_catalog, &origin).await?;
    tracing::info!(user = %claims.user, scope = ?claims.scope, "token issued");
    Ok(subject(created(body), &token))
}

async fn show(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    headers: HeaderMap,
    parameters: Parameters,
) -> Answer {
    let (token, claims) = asked_about(&state, &headers).await?;
    let reads_all = caller.claims.scope == Scope::System && caller.holds("reader");
    if caller.claims.user != claims.user && !caller.is_admin() && !reads_all {
        return Err(Error::denied("you may look only at your own tokens").into());
    }
    let with_catalog = Query::new(parameters).get("nocatalog").is_none();
    let body = body::describe(&state, &claims, with_catalog, &origin).await?;
    Ok(subject(ok(body), &token))
}

async fn revoke(FromState(state): FromState<State>, caller: Caller, headers: HeaderMap) -> Answer {
    let (_, claims) = asked_about(&state, &headers).await?;
    if caller.claims.user != claims.user && !caller.is_admin() {
        return Err(Error::denied("you may end only your own tokens").into());
    }
    let mut tx = state.store().begin().await?;
    if let Some(id) = claims.audit_ids.first() {
        revocation::token(&mut tx, id, claims.expires_at).await?;
    }
    finish(&state, tx).await?;
    Ok(done())
}

/// The token in `X-Subject-Token`; one that is not good is not there.
async fn asked_about(state: &State, headers: &HeaderMap) -> Result<(String, Claims)> {
    let missing = || Error::invalid("the token to look at is sent as X-Subject-Token");
    let token = header(headers, "x-subject-token").ok_or_else(missing)?;
    match state.verifier().verify_fresh(&token, state.now()).await {
        Ok((_, claims)) => Ok((token, claims)),
        Err(e) if e.kind == Kind::Unauthenticated => Err(Error::new(Kind::NotFound, e.message.clone()).code(&e.code)),
        Err(e) => Err(e),
    }
}

fn subject(mut response: Response, token: &str) -> Response {
    match HeaderValue::from_str(token) {
        Ok(value) => {
            response.headers_mut().insert(SUBJECT, value);
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
