/// What an archive may cost before it is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Members. The largest images have some hundred thousand.
    pub members: u64,
    /// Bytes of one member's extended headers (PAX records, long names, sparse maps).
    pub extension: u64,
    /// Bytes of all headers together.
    pub headers: u64,
    /// Bytes of a name and of a link's target: Linux' `PATH_MAX`.
    pub path: usize,
}

impl Limits {
    /// For archives from outside.
    pub(crate) const FOREIGN: Self =
        Self { members: 4_000_000, extension: 1 << 20, headers: 8 << 30, path: 4096 };
}
