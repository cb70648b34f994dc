use crate::NodeName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names an entry of the lock file: who asks, what for, on which architecture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryId {
    /// `base`, or the layer as `image/layer`.
    pub node: String,
    /// What is asked for: `debian bookworm`, `apt nginx`.
    pub request: String,
    /// Debian's name for it: `amd64`.
    pub architecture: String,
}

impl EntryId {
    /// The entry of a Debian base. Images that start alike share it.
    pub(crate) fn base(suite: &str, mirror: &str, include: &[String], architecture: &str) -> Self {
        let mut request = format!("debian {suite}");
        for package in include {
            request.push_str(&format!(" +{package}"));
        }
        request.push_str(&format!(" from {mirror}"));
        Self { node: "base".into(), request, architecture: architecture.into() }
    }

    /// The entry of a step in a layer.
    pub(crate) fn layer(name: &NodeName, request: &str, architecture: &str) -> Self {
        Self { node: name.to_string(), request: request.into(), architecture: architecture.into() }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in `{}` ({})", self.request, self.node, self.architecture)
    }
}
