//! Drives one workflow through every fault.
