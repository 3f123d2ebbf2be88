//! isobar_sdk.
