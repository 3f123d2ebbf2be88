//! keystone.
