use super::LockedFile;
use serde::{Deserialize, Serialize};

/// What an entry of the lock file names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Locked {
    /// Files, by their content.
    Files(Vec<LockedFile>),
    /// An image that somebody else keeps.
    Image(LockedImage),
}

/// An image that somebody else keeps, and that never changes under its id: an AMI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedImage {
    /// Its keeper's name for it: `ami-…`.
    pub id: String,
    /// For people: what it is called.
    pub name: String,
}

impl Locked {
    /// Nothing: of a base that names its content itself.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Files(Vec::new())
    }

    /// The files; none where it is an image.
    #[must_use]
    pub fn files(&self) -> &[LockedFile] {
        match self {
            Self::Files(files) => files,
            Self::Image(_) => &[],
        }
    }
}
