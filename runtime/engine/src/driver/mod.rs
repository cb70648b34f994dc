//! What the engine asks of a driver, and what it hands to it.
//!
//! A [`Builder`] turns actions into artifacts. It knows nothing of recipes, keys' contents or plans; the
//! engine knows nothing of overlays, snapshots or containers.

mod action;
mod artifact;
mod builder;

pub use action::{Action, Content, ExecAction, Program, PutAction};
pub use artifact::Artifact;
pub use builder::{ArtifactIndex, BaseInput, Builder, Output, Session, TestOutcome, TestPlan};
