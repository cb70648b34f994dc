//! Against OpenSSH's own sshd on loopback: connecting, ops, broken connections, terminals.

// This is all test code, its helpers too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod ops;
mod sshd;
