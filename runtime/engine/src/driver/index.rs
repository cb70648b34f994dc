use super::{Artifact, BaseInput};
use crate::lock::Locked;
use crate::{CacheKey, Error};
use async_trait::async_trait;

/// Where a driver keeps its artifacts: all that a plan needs of it.
#[async_trait]
pub trait ArtifactIndex: Send + Sync {
    /// Name and version of the artifacts that the driver makes. Part of every key: a driver that makes
    /// its artifacts differently changes it.
    fn format(&self) -> &'static str;

    /// Whether its artifacts have an output digest. If so, a key covers the output of what the layer
    /// stands on, and a layer rebuilt to the same output leaves what stands on it cached; if not, a key
    /// covers the parent's key.
    fn gives_outputs(&self) -> bool;

    /// The artifact of a base that somebody else keeps, and that needs no making: an AMI.
    fn given(&self, _base: &BaseInput, _locked: &Locked) -> Option<Artifact> {
        None
    }

    /// The artifacts of these keys, of layers, bases and images, in their order. One batch: a driver over
    /// a network makes one call.
    ///
    /// An artifact that is damaged is not returned.
    ///
    /// # Errors
    /// When the place where artifacts are kept cannot be read at all.
    async fn find(&self, keys: &[CacheKey]) -> Result<Vec<Option<Artifact>>, Error>;
}
