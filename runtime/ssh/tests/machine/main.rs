//! Against OpenSSH's own sshd on loopback: connecting, ops, broken connections, restarts, terminals.

// This is all test code, its helpers too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod connecting;
mod cuts;
mod exec;
mod proxy;
mod restart;
mod sshd;
mod terminal;
mod trees;
mod unpack;
mod watch;
