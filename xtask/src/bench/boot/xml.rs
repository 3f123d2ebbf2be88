//! A copy of a libvirt domain under another name, with its own disk, card and log, and no mark of Isobar's.

pub struct Copy<'a> {
    pub name: &'a str,
    pub disk: &'a str,
    pub log: &'a str,
    pub card: String,
}

impl Copy<'_> {
    /// `definition` as `virsh dumpxml` prints it: attributes in single quotes.
    pub fn of(&self, definition: &str) -> String {
        let text = without(definition, "<metadata>", "</metadata>");
        let text = without(&text, "<uuid>", "</uuid>");
        let text = with(&text, "<name>", "</name>", self.name);
        let text = with(&text, "<source file='", "'", self.disk);
        let text = with(&text, "<mac address='", "'", &self.card);
        with(&text, "<log file='", "'", self.log)
    }
}

/// What stands in the first single-quoted attribute that `start` opens.
pub fn first<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let after = text.split_once(start)?.1;
    after.split_once('\'').map(|(value, _)| value)
}

fn without(text: &str, start: &str, end: &str) -> String {
    match cut(text, start, end) {
        Some((before, after)) => format!("{before}{after}"),
        None => text.to_owned(),
    }
}

/// Replaces what is between the first `start` and its `end`.
fn with(text: &str, start: &str, end: &str, value: &str) -> String {
    match cut(text, start, end) {
        Some((before, after)) => format!("{before}{start}{value}{end}{after}"),
        None => text.to_owned(),
    }
}

fn cut<'a>(text: &'a str, start: &str, end: &str) -> Option<(&'a str, &'a str)> {
    let (before, rest) = text.split_once(start)?;
    Some((before, rest.split_once(end)?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_shares_nothing_it_may_not() {
        let text = "<domain><name>a</name><uuid>u</uuid><metadata><x/></metadata><source file='d'/><source file='seed'/>\
            <mac address='m'/><log file='l' append='on'/></domain>";
        let copy = Copy {
            name: "b",
            disk: "D",
            log: "L",
            card: "M".to_owned(),
        };
        let wanted = "<domain><name>b</name><source file='D'/><source file='seed'/><mac address='M'/>\
            <log file='L' append='on'/></domain>";
        assert_eq!(copy.of(text), wanted);
        assert_eq!(first(text, "<source file='"), Some("d"));
    }
}
