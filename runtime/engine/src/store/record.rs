use crate::key::{Field, Parent};
use crate::{CacheKey, Digest, NodeName};
use serde::{Deserialize, Serialize};

/// What is known of a build of a node: enough to explain the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its cache key.
    pub key: CacheKey,
    /// Its name when it was built.
    pub node: NodeName,
    /// What it stood on.
    pub parent: Parent,
    /// What its key covers.
    pub fields: Vec<Field>,
    /// The title of the step of each op, from op 1.
    pub titles: Vec<String>,
    /// The driver's name for what was made.
    pub artifact: String,
    /// The digest of its root, where the driver gives one.
    pub output: Option<Digest>,
    /// Milliseconds that building took.
    pub ms: u64,
    /// Seconds since 1970 when it was built.
    pub at: u64,
    /// The last lines that its steps printed.
    pub log: Vec<String>,
}
