//! region.
