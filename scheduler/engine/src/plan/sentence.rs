//! An explanation as one plain sentence, and the words for filters and amounts.

use std::fmt;

use super::{Explanation, Filter, Lack, Miss, Removed};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fit, self.placed) {
            (0, 0) => f.write_str("no host fits: ")?,
            (0, placed) => write!(f, "only {placed} of {} fit, so none is placed: ", self.wanted)?,
            (1, _) => f.write_str("1 host fits: ")?,
            (fit, _) => write!(f, "{fit} hosts fit: ")?,
        }
        match self.considered {
            0 => return f.write_str("there are no hosts"),
            1 => f.write_str("of 1 host")?,
            hosts => write!(f, "of {hosts} hosts")?,
        }
        if self.removed.is_empty() {
            return f.write_str(", none was ruled out");
        }
        for removed in &self.removed {
            write!(f, ", {removed}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let were = if self.hosts == 1 { "was" } else { "were" };
        write!(f, "{} ", self.hosts)?;
        match self.filter {
            Filter::Host => write!(f, "{were} not the host asked for"),
            Filter::Account => write!(f, "{were} in another account"),
            Filter::Driver => f.write_str("had another driver"),
            Filter::Zone => write!(f, "{were} in another zone"),
            Filter::Ready => write!(f, "{were} not ready"),
            Filter::Architecture => f.write_str("had another architecture"),
            Filter::Hypervisor => f.write_str("had another hypervisor"),
            Filter::Network => f.write_str("did not reach the network"),
            Filter::Tags => f.write_str("did not match the tags"),
            Filter::Affinity => write!(f, "{were} excluded by affinity groups"),
            Filter::Cpu | Filter::Memory | Filter::Storage => write!(f, "lacked {}", self.filter),
        }?;
        let Some(miss) = &self.nearest else { return Ok(()) };
        match miss.lacks.iter().find(|lack| lack.filter == self.filter) {
            Some(lack) => write!(
                f,
                " (nearest: host {} has {}, needs {})",
                miss.name, lack.has, lack.needs
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (at, lack) in self.lacks.iter().enumerate() {
            write!(f, "{} {lack}", if at == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: needs {}, has {}", self.filter, self.needs, self.has)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Account => "account",
            Self::Driver => "driver",
            Self::Zone => "zone",
            Self::Ready => "host ready",
            Self::Architecture => "architecture",
            Self::Hypervisor => "hypervisor",
            Self::Network => "network reach",
            Self::Tags => "tags",
            Self::Affinity => "affinity",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Storage => "storage",
        })
    }
}

/// Which way a tenth is rounded: needs go up and stocks go down, so that a shortage stays visible.
#[derive(Clone, Copy)]
pub(crate) enum Round {
    Up,
    Down,
}

/// Bytes in the largest unit that is not below one, with at most one decimal.
pub(crate) fn amount(bytes: i64, round: Round) -> String {
    let bytes = i128::from(bytes.max(0));
    let units = [("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10)];
    let (unit, shift) = units
        .into_iter()
        .find(|(_, shift)| bytes >> shift > 0)
        .unwrap_or(("", 0));
    let tenths = match round {
        Round::Up => (bytes * 10 + (1 << shift) - 1) >> shift,
        Round::Down => (bytes * 10) >> shift,
    };
    match tenths % 10 {
        0 => format!("{}{unit}", tenths / 10),
        tenth => format!("{}.{tenth}{unit}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::{Round::*, amount};

    #[test]
    fn a_shortage_stays_visible() {
        let check = |bytes, down: &str, up: &str| {
            assert_eq!((amount(bytes, Down).as_str(), amount(bytes, Up).as_str()), (down, up));
        };
        check(-5, "0", "0");
        check(700, "700", "700");
        check(8 << 30, "8G", "8G");
        check((8 << 30) - 1, "7.9G", "8G");
        check((8 << 30) + 1, "8G", "8.1G");
        check(3 << 29, "1.5G", "1.5G");
    }
}
