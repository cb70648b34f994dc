use serde::{Deserialize, Serialize};
use std::fmt;
use std::panic::Location;

/// Where in the user's recipe a node was written.
///
/// Every builder method takes it from its caller; `image!` gives its calls the spans of the user's own
/// tokens, so an origin points at the key that the user wrote. It never reaches a cache key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The file, relative to the workspace root, as rustc names it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

impl Origin {
    /// The place of the caller of the function that calls this.
    #[track_caller]
    pub fn caller() -> Self {
        let location = Location::caller();
        Self { file: location.file().to_owned(), line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
