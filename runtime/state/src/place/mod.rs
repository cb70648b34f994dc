//! Where objects are: a folder or a bucket, with the one guarantee that everything rests on: an object is written only if
//! nobody has written it since it was read.

mod bucket;
mod credentials;
mod folder;
mod refusal;
mod rights;

pub use bucket::Bucket;
pub use credentials::{Credential, Credentials};
pub(crate) use folder::Folder;

use async_trait::async_trait;
use kiln_engine::Error;
use std::time::SystemTime;

/// Objects by their path below the state: `production/lease.json`.
#[async_trait]
pub(crate) trait Place: Send + Sync {
    /// How users name it.
    fn name(&self) -> &str;

    /// An object; `None`: there is none.
    async fn get(&self, path: &str) -> Result<Option<Object>, Error>;

    /// Writes an object, if what is there is of this version; `None`: if nothing is there.
    async fn put(&self, path: &str, bytes: Vec<u8>, over: Option<&str>) -> Result<Put, Error>;

    /// Writes an object, whatever is there, and says when that was by the clock of the place.
    async fn touch(&self, path: &str, bytes: Vec<u8>) -> Result<SystemTime, Error>;

    /// Removes an object; there need not be one.
    async fn remove(&self, path: &str) -> Result<(), Error>;

    /// The names of the objects in a folder, sorted.
    async fn list(&self, folder: &str) -> Result<Vec<String>, Error>;
}

/// What was read.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Vec<u8>,
    /// Tells it from any other content.
    pub(crate) version: String,
    /// When it was written, by the clock of the place, perhaps in whole seconds.
    pub(crate) modified: SystemTime,
}

/// How writing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is there, as this version.
    Done(String),
    /// Somebody else has written it.
    Conflict,
}
