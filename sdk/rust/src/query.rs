//! What a list is asked for: filters, order, page size. Unknown parameters are refused by the server, not here.

/// Query parameters of a list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
    pub(crate) limit: Option<usize>,
    pub(crate) whole: bool,
}

impl Query {
    pub fn new() -> Self {
        Self::default()
    }

    /// For example `("state", "running")` or `("name.contains", "web")`.
    pub fn filter(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.pairs.push((key.into(), value.into()));
        self
    }

    /// A field, with `-` in front for descending.
    pub fn sort(self, field: impl Into<String>) -> Self {
        self.filter("sort", field)
    }

    /// All projects that the caller may see.
    pub fn everywhere(self) -> Self {
        self.filter("everywhere", "true")
    }

    /// At most so many items in all; pages are the client's business.
    pub fn limit(mut self, items: usize) -> Self {
        self.limit = Some(items);
        self
    }

    /// For the few short lists that come in one piece and know no page size.
    pub fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }
}
