//! The little XML that libvirt wants: escaping on the way out, a few look-ups on the way in, and the mark by
//! which what is ours is told from what is not.

use contract::{Error, Result};
use roxmltree::{Document, Node};

/// Namespace of our element inside `<metadata>`.
pub const NAMESPACE: &str = "urn:isobar:host:1";

/// Text and attribute values; characters XML cannot hold become `?`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", c as u32)),
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

pub fn parse(text: &str) -> Result<Document<'_>> {
    Document::parse(text)
        .map_err(|e| Error::broken("libvirt described an object in XML that cannot be read").because(e))
}

/// The first child element with this name.
pub fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|c| c.has_tag_name(name))
}

/// An attribute of the element at a path of names below `node`.
pub fn attribute<'a>(node: Node<'a, '_>, path: &[&str], name: &str) -> Option<&'a str> {
    let mut at = node;
    for step in path {
        at = child(at, step)?;
    }
    at.attribute(name)
}

/// The text of the element at a path of names below `node`.
pub fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text()
}

/// Who made a domain or a network, kept in libvirt itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub host: String,
    pub token: String,
    pub name: String,
}

impl Mark {
    pub fn write(&self, tags: &[(String, String)]) -> String {
        let (host, token, name) = (escape(&self.host), escape(&self.token), escape(&self.name));
        let mut out =
            format!("<metadata><isobar:made xmlns:isobar='{NAMESPACE}' host='{host}' token='{token}' name='{name}'>");
        for (key, value) in tags {
            out.push_str(&format!(
                "<isobar:tag key='{}' value='{}'/>",
                escape(key),
                escape(value)
            ));
        }
        out.push_str("</isobar:made></metadata>");
        out
    }

    /// `None` when the object is not one of ours.
    pub fn read(root: Node<'_, '_>) -> Option<Self> {
        let made = child(root, "metadata")?
            .children()
            .find(|c| c.has_tag_name((NAMESPACE, "made")))?;
        Some(Self {
            host: made.attribute("host")?.to_owned(),
            token: made.attribute("token")?.to_owned(),
            name: made.attribute("name")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_a_name() {
        let mark = Mark {
            host: "h".to_owned(),
            token: "t".to_owned(),
            name: "'/><evil a=\"&\"\u{1}".to_owned(),
        };
        let text = format!(
            "<network>{}</network>",
            mark.write(&[("a<b".to_owned(), "'".to_owned())])
        );
        let read = Mark::read(parse(&text).unwrap().root_element()).unwrap();
        assert_eq!(read.name, "'/><evil a=\"&\"?");
    }
}
