//! Tokens kept between processes, one file per login, readable by its owner alone.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Auth, Session};

#[derive(Serialize, Deserialize)]
struct Entry {
    fingerprint: String,
    salt: String,
    /// Sixteen bits about the secret: enough to notice another password, too few to find one.
    check: u16,
    session: Session,
}

fn hash(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

fn path(dir: &Path, fingerprint: &str) -> PathBuf {
    dir.join(format!("token-{:016x}.json", hash(&[fingerprint])))
}

/// The session of an earlier process with the same login. Anything unreadable counts as absent.
pub(crate) fn load(dir: &Path, auth: &Auth) -> Option<Session> {
    let fingerprint = auth.fingerprint();
    let text = fs::read(path(dir, &fingerprint)).ok()?;
    let entry: Entry = serde_json::from_slice(&text).ok()?;
    let same = entry.fingerprint == fingerprint && entry.check == hash(&[&entry.salt, auth.secret()]) as u16;
    same.then_some(entry.session)
}

/// Keeps the session for later processes. A cache that cannot be written costs a login, not the command.
pub(crate) fn store(dir: &Path, auth: &Auth, session: &Session) {
    let fingerprint = auth.fingerprint();
    let salt = uuid::Uuid::new_v4().to_string();
    let check = hash(&[&salt, auth.secret()]) as u16;
    let to = path(dir, &fingerprint);
    let entry = Entry {
        fingerprint,
        salt,
        check,
        session: session.clone(),
    };
    let _ = write(dir, &to, &entry);
}

/// Forgets the session of this login.
pub(crate) fn forget(dir: &Path, auth: &Auth) {
    let _ = fs::remove_file(path(dir, &auth.fingerprint()));
}

fn write(dir: &Path, to: &Path, entry: &Entry) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let part = dir.join(format!(".{}", uuid::Uuid::new_v4()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(&serde_json::to_vec(entry)?)?;
    fs::rename(&part, to)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_comes_back_only_to_the_same_login() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("isobar");
        let auth = |name: &str, password: &str| Auth {
            auth_url: "http://h/v3".into(),
            username: Some(name.into()),
            password: Some(password.into()),
            ..Auth::default()
        };
        let session = Session::read("secret".into(), b"{}").unwrap();
        store(&dir, &auth("ann", "right"), &session);
        assert_eq!(load(&dir, &auth("ann", "right")).unwrap().token, "secret");
        assert!(load(&dir, &auth("bob", "right")).is_none());
        let strangers = (0..20).filter(|n| load(&dir, &auth("ann", &format!("wrong{n}"))).is_some());
        assert!(strangers.count() < 2);
        let file = fs::read_dir(&dir).unwrap().next().unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        forget(&dir, &auth("ann", "right"));
        assert!(load(&dir, &auth("ann", "right")).is_none());
    }
}
