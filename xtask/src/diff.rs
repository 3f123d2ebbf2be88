//! The first place where two texts differ, with a little of what surrounds it.

/// `None` when they are equal. Lines of `old` carry `-`, of `new` `+`, three equal ones stand before.
pub fn first(old: &str, new: &str) -> Option<String> {
    if old == new {
        return None;
    }
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    // The lines until both agree again, or a few.
    let (gone, came) = apart(&old[same..], &new[same..]);
    let from = same.saturating_sub(3);
    let mut out = format!("@@ line {} @@\n", same + 1);
    let mut push = |mark: char, lines: &[&str]| lines.iter().for_each(|line| out.push_str(&format!("{mark}{line}\n")));
    push(' ', &old[from..same]);
    push('-', &old[same..same + gone]);
    push('+', &new[same..same + came]);
    push(' ', &old[same + gone..(same + gone + 2).min(old.len())]);
    if old.len() == same && new.len() == same {
        out.push_str("(only the end of the last line differs)\n");
    }
    Some(out)
}

/// How many lines of each are passed until a line of both is equal; at most ten each.
fn apart(old: &[&str], new: &[&str]) -> (usize, usize) {
    let most = (old.len().min(10), new.len().min(10));
    let pairs = (0..=most.0).flat_map(|a| (0..=most.1).map(move |b| (a, b)));
    let mut meeting: Vec<_> = pairs
        .filter(|(a, b)| old.get(*a).is_some_and(|line| new.get(*b) == Some(line)))
        .collect();
    meeting.sort_by_key(|(a, b)| a + b);
    meeting.first().copied().unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_changed_and_what_surrounds_it() {
        assert_eq!(first("a\n", "a\n"), None);
        assert_eq!(
            first("1\n2\n3\n4\n5\n", "1\n2\n3\nx\n5\n").unwrap(),
            "@@ line 4 @@\n 1\n 2\n 3\n-4\n+x\n 5\n"
        );
        assert_eq!(first("a\nc\n", "a\nb\nc\n").unwrap(), "@@ line 2 @@\n a\n+b\n c\n");
        assert_eq!(first("", "a\n").unwrap(), "@@ line 1 @@\n+a\n");
        assert!(first("a", "a\n").unwrap().contains("end of the last line"));
    }
}
