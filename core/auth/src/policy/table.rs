//! Rules compiled into a table: casbin decides each cell once, when it is first asked for; after that it is a look-up.

use std::collections::HashMap;
use std::fmt::Write;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use types::{Error, Result};

use crate::policy::{IMPLIED, NOUNS, Noun, READS, ROLES};

const MODEL: &str = "
[request_definition]
r = role, scope, noun, verb, reach
[policy_definition]
p = role, scope, noun, verb, reach
[role_definition]
g = _, _
g2 = _, _
g3 = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = p.reach == r.reach && (p.scope == '*' || p.scope == r.scope) && (p.verb == '*' || g3(r.verb, p.verb)) \
 && (p.noun == '*' || g2(r.noun, p.noun)) && g(r.role, p.role)
";

/// How far one role's right goes, least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    #[default]
    Nothing,
    /// The project or domain the token is for.
    Own,
    Everything,
}

/// The kinds of scope a cell distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    System,
    Domain,
    Project,
}

const OVERS: [(Over, &str); 3] = [
    (Over::System, "system"),
    (Over::Domain, "domain"),
    (Over::Project, "project"),
];

/// What every role may do with one verb to one noun.
#[derive(Clone, Debug, Default)]
pub struct Cell([[Grant; OVERS.len()]; ROLES.len()]);

impl Cell {
    pub fn grant(&self, role: &str, over: Over) -> Grant {
        match ROLES.iter().position(|known| *known == role) {
            Some(index) => self.0[index][over as usize],
            None => Grant::Nothing,
        }
    }
}

/// Noun to verb to cell. What is not in it is refused.
pub struct Table {
    enforcer: Enforcer,
    cells: HashMap<&'static str, HashMap<&'static str, OnceLock<Cell>>>,
}

impl Table {
    pub fn compile(rules: &str) -> Result<Self> {
        let row = |noun: &Noun| noun.verbs().map(|verb| (verb, OnceLock::new())).collect();
        Ok(Self {
            enforcer: now(enforcer(rules))?,
            cells: NOUNS.iter().map(|noun| (noun.name, row(noun))).collect(),
        })
    }

    pub fn cell(&self, noun: &str, verb: &str) -> Option<&Cell> {
        let (noun, row) = self.cells.get_key_value(noun)?;
        let (verb, cell) = row.get_key_value(verb)?;
        Some(cell.get_or_init(|| decide(&self.enforcer, noun, verb)))
    }

    pub fn print(&self) -> String {
        let mut text = String::from(
            "# What each role may do: in a token for the system / a domain / a project.\n\
             # all = everything, own = what belongs to the token's domain or project, - = nothing.\n",
        );
        let _ = write!(text, "{:<30}", "noun verb");
        for role in ROLES {
            let _ = write!(text, " {role:<13}");
        }
        for noun in NOUNS {
            text.push('\n');
            for verb in noun.verbs() {
                let cell = self.cell(noun.name, verb).cloned().unwrap_or_default();
                let mut line = format!("{:<30}", format!("{} {verb}", noun.name));
                for grants in cell.0 {
                    let _ = write!(line, " {:<13}", grants.map(short).join("/"));
                }
                text.push('\n');
                text.push_str(line.trim_end());
            }
        }
        text.push('\n');
        text
    }
}

fn short(grant: Grant) -> &'static str {
    match grant {
        Grant::Nothing => "-",
        Grant::Own => "own",
        Grant::Everything => "all",
    }
}

fn decide(enforcer: &Enforcer, noun: &str, verb: &str) -> Cell {
    // The rules were checked when they were loaded; should one still not evaluate, it grants nothing.
    let may = |role: &str, over: &str, reach: &str| {
        enforcer.enforce((role, over, noun, verb, reach)).unwrap_or_else(|error| {
            tracing::error!(%error, role, noun, verb, "a policy rule cannot be evaluated and is taken as a refusal");
            false
        })
    };
    let mut cell = Cell::default();
    for (role, grants) in ROLES.iter().zip(&mut cell.0) {
        for (grant, (_, over)) in grants.iter_mut().zip(OVERS) {
            *grant = match () {
                () if may(role, over, "everything") => Grant::Everything,
                () if may(role, over, "own") => Grant::Own,
                () => Grant::Nothing,
            };
        }
    }
    cell
}

async fn enforcer(rules: &str) -> Result<Enforcer> {
    let wrong = |e| Error::broken("the policy rules cannot be loaded").because(e);
    let model = DefaultModel::from_str(MODEL).await.map_err(wrong)?;
    let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await.map_err(wrong)?;
    let classes = NOUNS.iter().map(|noun| pair(noun.name, noun.class)).collect();
    let implied = IMPLIED.iter().map(|(upper, lower)| pair(upper, lower)).collect();
    let reads = READS.iter().map(|verb| pair(verb, "read")).collect();
    for (name, links) in [("g", implied), ("g2", classes), ("g3", reads)] {
        enforcer.add_named_grouping_policies(name, links).await.map_err(wrong)?;
    }
    enforcer.add_policies(parse(rules)?).await.map_err(wrong)?;
    Ok(enforcer)
}

fn pair(from: &str, to: &str) -> Vec<String> {
    vec![from.to_owned(), to.to_owned()]
}

/// One rule a line; a name that means nothing is an error, not a rule that never applies.
fn parse(rules: &str) -> Result<Vec<Vec<String>>> {
    let mut parsed = Vec::new();
    for (number, line) in rules.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let ["p", role, scope, noun, verb, reach] = fields[..] else {
            return Err(Error::invalid(format!(
                "policy line {}: a rule has six fields",
                number + 1
            )));
        };
        let known = ROLES.contains(&role)
            && (scope == "*" || OVERS.iter().any(|(_, name)| *name == scope))
            && (noun == "*" || NOUNS.iter().any(|n| n.name == noun || n.class == noun))
            && (verb == "*" || verb == "read" || NOUNS.iter().any(|n| n.verbs().any(|v| v == verb)))
            && ["everything", "own"].contains(&reach);
        if !known {
            return Err(Error::invalid(format!(
                "policy line {}: `{line}` names something unknown",
                number + 1
            )));
        }
        parsed.push(fields[1..].iter().map(|field| (*field).to_owned()).collect());
    }
    Ok(parsed)
}

/// Runs a future that never waits: casbin is async for adapters that read files, ours is memory.
fn now<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(Error::broken("loading the policy rules had to wait")),
    }
}
