//! Rust source with comments and literals blanked out, so that a search for words finds code only. Lines stay where
//! they are. And where the tests of a file begin.

/// Same number of lines; comments, strings and characters are spaces.
pub fn code(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let taken = skipped(rest, out.chars().next_back());
        if taken == 0 {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            out.extend(rest[..taken].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[taken..];
        }
    }
    out
}

/// How many bytes from here are a comment or a literal.
fn skipped(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block(rest);
    }
    if rest.starts_with('"') {
        return string(rest);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let inside_a_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'));
    match raw {
        Some(after) if !inside_a_word => raw_string(rest, after),
        _ => 0,
    }
}

fn block(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A lifetime is not a character: `'a` has no closing quote after one letter.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
        }
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

fn raw_string(rest: &str, after: &str) -> usize {
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') {
        return 0;
    }
    let start = rest.len() - after.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
}

/// Whether a whole file is code for tests or measurements.
pub fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/examples/") || path.starts_with("tests/") || path.ends_with("/tests.rs")
}

/// Index of the first line of the tests at a file's end; the number of lines when it has none.
pub fn tests_begin(path: &str, code: &str) -> usize {
    if is_test(path) {
        return 0;
    }
    let lines: Vec<_> = code.lines().collect();
    let module = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].contains('{');
    lines.windows(2).position(module).unwrap_or(lines.len())
}

/// Whether `word` stands in `line` by itself, not inside a longer name.
pub fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let starts = !word.starts_with(part) || !line[..at].ends_with(part);
        let ends = !word.ends_with(part) || !line[at + word.len()..].starts_with(part);
        starts && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let check = |source: &str, left: &str| {
            let code = code(source);
            assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), left, "{source}");
            assert_eq!(code.lines().count(), source.lines().count());
        };
        check("a // todo\nb", "a b");
        check("a /* x /* y */ z */ b", "a b");
        check(r#"f("say \"unsafe\" // no", 1)"#, "f( , 1)");
        check(r###"f(r#"one " two"#, br"x")"###, "f( , )");
        check(
            r"match c { '\'' => 1, '\u{41}' => 2, 'ß' => 3 }",
            "match c { => 1, => 2, => 3 }",
        );
        check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
        check("let r#type = bar\"x\";", "let r#type = bar ;");
        check("\"open", "");
    }

    #[test]
    fn words_stand_alone() {
        assert!(has_word("x = unsafe { y }", "unsafe") && !has_word("unsafe_code", "unsafe"));
        assert!(has_word("tokio::time::sleep(x)", "sleep(") && !has_word("oversleep(x)", "sleep("));
    }

    #[test]
    fn tests_begin_at_their_module() {
        let file = "fn a() {}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(tests_begin("core/x/src/a.rs", file), 1);
        assert_eq!(tests_begin("core/x/tests/it/a.rs", file), 0);
        assert_eq!(
            tests_begin("core/x/src/a.rs", "fn a() {}\n#[cfg(test)]\nmod tests;\n"),
            3
        );
    }
}
