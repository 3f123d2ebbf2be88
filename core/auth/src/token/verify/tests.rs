//! Tokens through their life: good, forged, expired, revoked, signed with a key learned later.

use types::{DomainId, ProjectId, UserId};

use super::*;
use crate::cx::Scope;
use crate::token::{KeyPair, Signer};

const HOUR: Duration = Duration::from_secs(3600);

fn now() -> Timestamp {
    "2026-11-21T08:45:41.000012Z".parse().unwrap()
}

fn claims() -> Claims {
    Claims {
        user: UserId::new(),
        user_name: "anna".to_owned(),
        domain: "default".parse().unwrap(),
        scope: Scope::Project {
            id: ProjectId::new(),
            domain: "default".parse().unwrap(),
        },
        roles: vec!["member".to_owned(), "reader".to_owned()],
        issued_at: now(),
        expires_at: now() + HOUR,
        audit_ids: vec![crate::token::audit_id()],
        epoch: 3,
        methods: vec!["password".to_owned()],
    }
}

fn set(pairs: &[&KeyPair]) -> KeySet {
    KeySet {
        keys: pairs.iter().map(|pair| pair.public.clone()).collect(),
        revocations: Revocations::default(),
    }
}

fn code(answer: Result<(Who, Claims)>) -> String {
    answer.map_or_else(|e| e.code, |_| "ok".to_owned())
}

#[test]
fn a_token_says_what_was_signed_and_is_remembered() {
    let pair = KeyPair::generate().unwrap();
    let verifier = Verifier::new(set(&[&pair])).unwrap();
    let claims = claims();
    let token = Signer::new(&pair).unwrap().sign(&claims).unwrap();
    for _ in 0..2 {
        let (who, read) = verifier.verify(&token, now()).unwrap();
        assert_eq!(read, claims);
        assert_eq!(who, claims.who());
    }
}

#[test]
fn a_token_stays_small_with_long_names_and_many_roles() {
    let pair = KeyPair::generate().unwrap();
    let mut claims = claims();
    claims.user = "f".repeat(64).parse().unwrap();
    claims.user_name = "n".repeat(64);
    claims.domain = DomainId::new();
    claims.roles = (0..12).map(|n| format!("department-role-{n:02}")).collect();
    claims.audit_ids.push(crate::token::audit_id());
    let token = Signer::new(&pair).unwrap().sign(&claims).unwrap();
    assert!(token.len() < 1500, "{}", token.len());
    claims.roles = (0..300).map(|n| format!("department-role-{n:02}")).collect();
    let error = Signer::new(&pair).unwrap().sign(&claims).unwrap_err();
    assert_eq!(error.code, "token_too_large");
}

#[test]
fn expiry_follows_the_clock_that_is_given() {
    let pair = KeyPair::generate().unwrap();
    let verifier = Verifier::new(set(&[&pair])).unwrap();
    let token = Signer::new(&pair).unwrap().sign(&claims()).unwrap();
    let just_before = Timestamp::from_micros((now() + HOUR).as_micros() - 1);
    assert_eq!(code(verifier.verify(&token, just_before)), "ok");
    assert_eq!(code(verifier.verify(&token, now() + HOUR)), "token_expired");
    let long_ago = Timestamp::from_micros(now().as_micros() - 61_000_000);
    assert_eq!(code(verifier.verify(&token, long_ago)), "token_invalid");
}

#[test]
fn forgeries_are_refused() {
    let (ours, theirs) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let verifier = Verifier::new(set(&[&ours])).unwrap();
    let token = Signer::new(&ours).unwrap().sign(&claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let other = Signer::new(&ours).unwrap().sign(&claims()).unwrap();
    let swapped = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
    assert_eq!(code(verifier.verify(&swapped, now())), "token_invalid");
    let mut same_kid = theirs.clone();
    same_kid.public.kid = ours.public.kid.clone();
    let forged = Signer::new(&same_kid).unwrap().sign(&claims()).unwrap();
    assert_eq!(code(verifier.verify(&forged, now())), "token_invalid");
    let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    assert_eq!(code(verifier.verify(&none, now())), "token_invalid");
    let mut header = jsonwebtoken::Header::new(Algorithm::HS256);
    header.kid = Some(ours.public.kid.clone());
    let secret = jsonwebtoken::EncodingKey::from_secret(ours.public.x.as_bytes());
    let confused = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
    assert_eq!(code(verifier.verify(&confused, now())), "token_invalid");
    for junk in ["", ".", "..", "a.b.c", "\u{0}", &"x".repeat(MAX_LENGTH + 1)] {
        assert_eq!(code(verifier.verify(junk, now())), "token_invalid", "{junk:?}");
    }
}

#[test]
fn each_kind_of_revocation_ends_a_remembered_token() {
    let pair = KeyPair::generate().unwrap();
    let claims = claims();
    let token = Signer::new(&pair).unwrap().sign(&claims).unwrap();
    let check = |change: &dyn Fn(&mut Revocations), expected: &str| {
        let verifier = Verifier::new(set(&[&pair])).unwrap();
        assert_eq!(code(verifier.verify(&token, now())), "ok");
        let mut set = set(&[&pair]);
        change(&mut set.revocations);
        verifier.replace(set).unwrap();
        assert_eq!(code(verifier.verify(&token, now())), expected);
    };
    let Scope::Project { id, domain } = &claims.scope else {
        unreachable!()
    };
    let earlier = Timestamp::from_micros(now().as_micros() - 1);
    check(
        &|r| _ = r.audit_ids.insert(claims.audit_ids[0].clone()),
        "token_revoked",
    );
    check(&|r| _ = r.users.insert(claims.user.clone(), 4), "token_revoked");
    check(&|r| _ = r.users.insert(claims.user.clone(), 3), "ok");
    check(&|r| _ = r.projects.insert(id.clone(), now()), "token_revoked");
    check(&|r| _ = r.projects.insert(id.clone(), earlier), "ok");
    check(&|r| _ = r.domains.insert(domain.clone(), now()), "token_revoked");
    check(&|r| _ = r.domains.insert(DomainId::new(), now()), "ok");
}

#[test]
fn a_retired_key_takes_its_tokens_along() {
    let (old, new) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let verifier = Verifier::new(set(&[&old, &new])).unwrap();
    let token = Signer::new(&old).unwrap().sign(&claims()).unwrap();
    assert_eq!(code(verifier.verify(&token, now())), "ok");
    verifier.replace(set(&[&new])).unwrap();
    assert_eq!(code(verifier.verify(&token, now())), UNKNOWN_KEY);
}

struct Published(Mutex<KeySet>);

#[async_trait::async_trait]
impl KeySource for Published {
    async fn load(&self) -> Result<KeySet> {
        Ok(self.0.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once_a_second() {
    let (old, new) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let source = Arc::new(Published(Mutex::new(set(&[&old]))));
    let verifier = Verifier::with_source(source.clone()).await.unwrap();
    let token = Signer::new(&new).unwrap().sign(&claims()).unwrap();
    assert_eq!(code(verifier.verify_fresh(&token, now()).await), UNKNOWN_KEY);
    *source.0.lock().unwrap() = set(&[&old, &new]);
    assert_eq!(code(verifier.verify_fresh(&token, now()).await), UNKNOWN_KEY);
    assert_eq!(code(verifier.verify_fresh(&token, now() + RELOAD).await), "ok");
}

#[test]
fn the_cache_is_bounded() {
    let cache = Cache::default();
    let claims = Arc::new(claims());
    for n in 0..3 * GENERATION {
        cache.put(&n.to_string(), claims.clone());
    }
    let held = cache.0.read().unwrap();
    assert!(held[0].len() + held[1].len() <= 2 * GENERATION);
}
