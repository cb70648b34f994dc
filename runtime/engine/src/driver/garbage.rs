use super::Output;
use crate::{CacheKey, Error};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::time::Duration;

/// A driver whose artifacts lie where they cost money: it says what nobody needs any more, and removes it.
#[async_trait]
pub trait Collector: Send + Sync {
    /// Everything that Kiln made there for this project, whoever baked it, and what is to happen to it.
    ///
    /// # Errors
    /// When it cannot be listed.
    async fn survey(&self, wanted: &Wanted) -> Result<Vec<Found>, Error>;

    /// Removes those that a survey would remove, in an order in which each can go.
    ///
    /// # Errors
    /// For each that could not be removed; the others are gone.
    async fn remove(&self, found: &[Found], output: Output<'_>) -> Result<(), Vec<Error>>;
}

/// What is kept, beside what somebody uses.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// What a bake of the recipes would find.
    pub keys: BTreeSet<CacheKey>,
    /// By the driver's own names: a base that a recipe or the lock file names.
    pub named: BTreeSet<String>,
    /// What is younger: other recipes than these may want it, of a branch or of a colleague.
    pub younger_than: Duration,
}

/// Something that Kiln made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its keeper's name for it: `snap-…`.
    pub id: String,
    /// What it is: `snapshot`, `image`, `instance`.
    pub kind: &'static str,
    /// What it was made of: `web/site`; empty where nobody knows.
    pub name: String,
    /// What is to happen to it.
    pub fate: Fate,
}

/// What is to happen to something that Kiln made, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nobody needs it, for this reason.
    Remove(String),
    /// It is in use, by this.
    Keep(String),
}
