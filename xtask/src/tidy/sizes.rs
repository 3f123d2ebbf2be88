//! How long a file may be. What is generated may have any length.

use super::Finding;
use crate::tree::Tree;

const CODE: &[&str] = &[".rs", ".py", ".sh", ".ts", ".js", ".css"];
const MOST: usize = 500;
const ARCHITECTURE: (&str, usize) = ("ARCHITECTURE.md", 250);

pub fn check(tree: &Tree) -> Vec<Finding> {
    let code = CODE
        .iter()
        .flat_map(|end| tree.ending(end))
        .filter(|(path, _)| !path.contains("generated"));
    let long = code.filter_map(|(path, text)| over(path, text, MOST));
    let map = tree
        .get(ARCHITECTURE.0)
        .and_then(|text| over(ARCHITECTURE.0, text, ARCHITECTURE.1));
    long.chain(map).collect()
}

fn over(path: &str, text: &str, most: usize) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > most).then(|| {
        Finding::new(
            path,
            most + 1,
            format!("{lines} lines, {most} at most"),
            "split it by what it is about",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hundred_lines_and_generated_ones_any_number() {
        let (fits, long) = ("x\n".repeat(500), "x\n".repeat(501));
        let tree = Tree::sample(&[
            ("region/src/a.rs", &fits),
            ("region/src/b.rs", &long),
            ("sdk/rust/src/generated.rs", &long),
            ("sdk/openapi/region.json", &long),
            ("ARCHITECTURE.md", &fits),
        ]);
        let mend = "split it by what it is about";
        let wanted = [
            format!("region/src/b.rs:501: 501 lines, 500 at most; {mend}"),
            format!("ARCHITECTURE.md:251: 500 lines, 250 at most; {mend}"),
        ];
        assert_eq!(super::super::said(&check(&tree)), wanted);
    }
}
