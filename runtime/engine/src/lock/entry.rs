use crate::NodeName;
use crate::key::Target;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names an entry of the lock file: who asks, what for, for which builder and architecture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryId {
    /// `base`, or the layer as `image/layer`.
    pub node: String,
    /// What is asked for: `debian bookworm`, `apt nginx`.
    pub request: String,
    /// Whose bases it is resolved on: what a package needs depends on what is there.
    #[serde(default = "only_builder")]
    pub builder: String,
    /// Debian's name for it: `amd64`.
    pub architecture: String,
}

/// The only one that there was when lock files did not say.
fn only_builder() -> String {
    "sandbox".into()
}

impl EntryId {
    /// An entry of a base. Images that start alike share it. A base that is another one at each place is
    /// asked for with the place.
    pub(crate) fn base(request: String, target: &Target) -> Self {
        let request = match &target.place {
            Some(place) => format!("{request} in {place}"),
            None => request,
        };
        Self::new("base".into(), request, target)
    }

    /// The entry of a step in a layer.
    pub(crate) fn layer(name: &NodeName, request: &str, target: &Target) -> Self {
        Self::new(name.to_string(), request.into(), target)
    }

    fn new(node: String, request: String, target: &Target) -> Self {
        let Target { builder, place: _, architecture } = target.clone();
        Self { node, request, builder, architecture }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in `{}` ({} {})", self.request, self.node, self.builder, self.architecture)
    }
}
