//! Deployments: what differs between what is declared and what runs, and how the one becomes the other.
//!
//! [`Plan`] is pure: it compares and says why. [`Run`] executes it through the traits of [`crate::driver`]; it takes
//! nothing for granted that it has not just looked at, because anybody may have been there before.

mod desired;
mod reason;

mod change;
mod compare;
mod fingerprint;
mod goal;
mod plan;
mod standing;
mod weigh;

mod adjust;
mod bring;
mod ending;
mod look;
mod recover;
mod replace;
mod rollback;
mod rolling;
mod run;
mod side_by_side;
mod switch;
mod turn;
mod undo;
mod unhealthy;

pub use change::{Change, PlannedDeployment};
pub use desired::{ArtifactState, Desired, ImageState, LayerKey};
pub use plan::{Counts, Past, Place, Plan};
pub use reason::{Begun, Difference, Reason};
pub use rollback::earlier;
pub use run::{Options, Outcome, Run, Work};
