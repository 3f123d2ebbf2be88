//! A set of host rows, one bit each. Rows beyond its end are not in it, so sets of any length combine.

/// Position of a host, or of a storage, in the columns of a snapshot.
pub type Row = u32;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap(Vec<u64>);

impl Bitmap {
    pub fn only(row: Row) -> Self {
        Self::from_iter([row])
    }

    pub fn insert(&mut self, row: Row) {
        let word = row as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (row % 64);
    }

    pub fn remove(&mut self, row: Row) {
        if let Some(word) = self.0.get_mut(row as usize / 64) {
            *word &= !(1 << (row % 64));
        }
    }

    pub fn contains(&self, row: Row) -> bool {
        self.0
            .get(row as usize / 64)
            .is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Keeps what is in both.
    pub fn keep(&mut self, other: &Self) {
        self.0.truncate(other.0.len());
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine &= theirs;
        }
    }

    /// Takes away what is in `other`.
    pub fn subtract(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine &= !theirs;
        }
    }

    /// Rows in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Row> {
        self.0
            .iter()
            .zip(0..)
            .flat_map(|(&word, at)| Bits { word, base: at * 64 })
    }
}

impl FromIterator<Row> for Bitmap {
    fn from_iter<T: IntoIterator<Item = Row>>(rows: T) -> Self {
        let mut set = Self::default();
        rows.into_iter().for_each(|row| set.insert(row));
        set
    }
}

struct Bits {
    word: u64,
    base: Row,
}

impl Iterator for Bits {
    type Item = Row;
    fn next(&mut self) -> Option<Row> {
        if self.word == 0 {
            return None;
        }
        let bit = self.word.trailing_zeros();
        self.word &= self.word - 1;
        Some(self.base + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: &[Row]) -> Bitmap {
        rows.iter().copied().collect()
    }

    #[test]
    fn sets_of_different_length_combine() {
        let mut left = set(&[0, 63, 64, 700]);
        left.keep(&set(&[0, 64, 65]));
        assert_eq!(left.iter().collect::<Vec<_>>(), [0, 64]);
        left.subtract(&set(&[64, 900]));
        assert_eq!(
            (left.count(), left.contains(64), left.contains(9000)),
            (1, false, false)
        );
        left.remove(0);
        assert!(left.is_empty());
    }
}
