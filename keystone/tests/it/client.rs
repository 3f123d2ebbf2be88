//! The real, unmodified OpenStack client against a server on loopback.

use std::{path::PathBuf, process::Stdio};

use axum::Router;
use serde_json::Value;
use tokio::{net::TcpListener, process::Command};

use crate::kit::{PASSWORD, World};

/// A world that listens, and the client pointed at it.
struct Shell {
    _world: World,
    client: PathBuf,
    origin: String,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shell {
    async fn new() -> Self {
        let client = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/openstack");
        assert!(
            client.exists(),
            "the OpenStack client is not at target/venv: run `tools/install test` to install it"
        );
        let world = World::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let app: Router = world.app.clone();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            _world: world,
            client,
            origin,
            server,
        }
    }

    async fn run(&self, line: &str, password: &str) -> std::process::Output {
        Command::new(&self.client)
            .args(line.split(' '))
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("OS_AUTH_URL", format!("{}/identity/v3", self.origin))
            .env("OS_IDENTITY_API_VERSION", "3")
            .env("OS_USERNAME", "admin")
            .env("OS_PASSWORD", password)
            .env("OS_PROJECT_NAME", "admin")
            .env("OS_USER_DOMAIN_NAME", "Default")
            .env("OS_PROJECT_DOMAIN_NAME", "Default")
            .env("OS_REGION_NAME", "home")
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap()
    }

    /// A command that must succeed; what it printed.
    async fn text(&self, line: &str) -> String {
        let output = self.run(line, PASSWORD).await;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "openstack {line}: {out}{err}");
        out.into_owned()
    }

    async fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.text(&format!("{line} -f json")).await).unwrap()
    }
}

fn column(list: &Value, name: &str) -> Vec<String> {
    let rows = list.as_array().unwrap().iter();
    let mut values: Vec<String> = rows
        .map(|row| row[name].as_str().unwrap_or_default().to_owned())
        .collect();
    values.sort();
    values
}

#[tokio::test]
async fn it_logs_in_and_reads_the_catalog() {
    let shell = Shell::new().await;
    let token = shell.json("token issue").await;
    assert_eq!(token["id"].as_str().unwrap().split('.').count(), 3);
    let catalog = shell.json("catalog list").await;
    assert_eq!(column(&catalog, "Type"), ["identity", "image", "isobar"]);
    let endpoints = shell.json("endpoint list --interface public").await;
    assert!(
        column(&endpoints, "URL").contains(&format!("{}/identity/v3", shell.origin)),
        "{endpoints}"
    );
    assert_eq!(column(&shell.json("region list").await, "Region"), ["home"]);
    let wrong = shell.run("token issue", "wrong").await;
    assert!(!wrong.status.success());
    let sentence = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        sentence.starts_with("the user name, domain or password is wrong"),
        "{sentence}"
    );
    assert!(sentence.contains("(HTTP 401) (Request-ID: req-"), "{sentence}");
}

#[tokio::test]
async fn it_manages_projects_and_roles() {
    let shell = Shell::new().await;
    let project = shell
        .json("project create --domain default --description first --property team=blue p1")
        .await;
    assert_eq!((&project["name"], &project["team"]), (&"p1".into(), &"blue".into()));
    assert_eq!(
        column(&shell.json("project list --domain default").await, "Name"),
        ["admin", "p1", "service"]
    );
    shell.text("project set --name p2 --disable p1").await;
    let shown = shell.json("project show p2").await;
    assert_eq!(
        (&shown["enabled"], &shown["description"]),
        (&false.into(), &"first".into())
    );
    shell.text("project delete p2").await;
    assert!(!shell.run("project show p2", PASSWORD).await.status.success());
    shell.text("role create operator").await;
    shell.text("role set --name driver operator").await;
    assert_eq!(shell.json("role show driver").await["name"], "driver");
    shell.text("role delete driver").await;
    let roles = shell.json("role list").await;
    assert_eq!(
        column(&roles, "Name"),
        ["admin", "manager", "member", "reader", "service"]
    );
}

#[tokio::test]
async fn it_manages_users_groups_and_assignments() {
    let shell = Shell::new().await;
    shell.text("project create p1").await;
    let user = shell
        .json("user create --domain default --project p1 --password pw --email a@b anna")
        .await;
    assert_eq!((&user["name"], &user["email"]), (&"anna".into(), &"a@b".into()));
    shell.text("user set --email c@d --password pw2 anna").await;
    assert_eq!(shell.json("user show anna").await["email"], "c@d");
    assert_eq!(
        column(&shell.json("user list --domain default").await, "Name"),
        ["admin", "anna", "isobar"]
    );
    shell.text("group create --domain default staff").await;
    shell.text("group set --description people staff").await;
    assert_eq!(shell.json("group show staff").await["description"], "people");
    shell.text("group add user staff anna").await;
    assert!(
        shell
            .text("group contains user staff anna")
            .await
            .contains("anna in group staff")
    );
    assert_eq!(column(&shell.json("user list --group staff").await, "Name"), ["anna"]);
    shell.text("role add --user anna --project p1 member").await;
    shell.text("role add --group staff --domain default reader").await;
    let given = shell.json("role assignment list --names").await;
    let given: Vec<String> = given
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            ["User", "Group", "Role", "Project", "Domain"]
                .map(|key| row[key].as_str().unwrap_or(""))
                .join(" ")
        })
        .collect();
    assert!(
        given.contains(&"anna@Default  member p1@Default ".to_owned()),
        "{given:?}"
    );
    assert!(
        given.contains(&" staff@Default reader  Default".to_owned()),
        "{given:?}"
    );
    let effective = shell.json("role assignment list --names --user anna --effective").await;
    assert_eq!(column(&effective, "Role"), ["member", "reader", "reader"]);
    shell.text("role remove --user anna --project p1 member").await;
    let left = shell.json("role assignment list --names --user anna").await;
    assert_eq!(left, serde_json::json!([]));
    shell.text("group remove user staff anna").await;
    assert_eq!(
        column(&shell.json("user list --group staff").await, "Name"),
        Vec::<String>::new()
    );
    shell.text("group delete staff").await;
    assert_eq!(column(&shell.json("group list").await, "Name"), Vec::<String>::new());
    shell.text("user delete anna").await;
    assert!(!shell.run("user show anna", PASSWORD).await.status.success());
}
