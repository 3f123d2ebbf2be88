//! Tokens: signed by keystone, verified everywhere with its published keys.
