//! kvm.
