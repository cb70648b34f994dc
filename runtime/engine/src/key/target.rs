/// What a graph is keyed for: who builds it, where, and for which machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The builder's name: `sandbox`, `ec2`.
    pub builder: String,
    /// Where the builder builds, when a base is another one at each place: a region.
    pub place: Option<String>,
    /// The architecture that images are made for, in Debian's words: `amd64`.
    pub architecture: String,
}
