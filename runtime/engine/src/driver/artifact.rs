use crate::Digest;

/// What a layer became: a directory in the store, a snapshot, an AMI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The driver's own name for it. Opaque to the engine.
    pub id: String,
    /// The digest of the whole root file system, where the driver can give one: two artifacts with the
    /// same are interchangeable. `None` on drivers that cannot look inside (EC2 snapshots).
    pub output: Option<Digest>,
}
