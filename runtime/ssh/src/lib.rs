//! A machine reached over SSH: a pinned host key, trees as one stream, many ops in few round trips.
//!
//! The only crate that names `russh`. It knows nothing of clouds, of recipes and of what its ops are for.
//!
//! ```no_run
//! # async fn example(address: std::net::SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
//! use kiln_ssh::{Exec, KeyPair, Machine, Op, Patience, Target};
//!
//! let user = KeyPair::generate()?;
//! let host = KeyPair::generate()?; // handed to the machine before it starts
//! let target = Target { address, user: "admin".into(), key: user, host_key: host.host_key() };
//! let mut machine = Machine::connect(target, Patience::seconds(300), &|line| { let _ = line; }).await?;
//! machine.run(&[Op::Exec(Exec::shell("nginx -t"))], &()).await?;
//! # Ok(())
//! # }
//! ```

mod error;
mod key;
mod target;

mod archive;
mod op;
mod progress;

mod backoff;
mod connect;
mod handshake;
mod link;

mod agent;
mod frames;
mod job;
mod lines;
mod packing;
mod quote;
mod stream;

mod batch;
mod machine;
mod output;
mod reboot;
mod recover;
mod segment;
mod shell;

pub use archive::Archive;
pub use connect::CloudInit;
pub use error::{Error, ErrorKind, OpFailed, Reached};
pub use key::{HostKey, KeyPair};
pub use machine::Machine;
pub use op::{Directories, Exec, Files, Ids, Medium, Op, Owner, Program, Unpack};
pub use progress::Progress;
pub use target::{Patience, Target};
