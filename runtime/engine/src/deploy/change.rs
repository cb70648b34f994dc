use super::Reason;
use crate::Digest;
use serde::{Deserialize, Serialize};

/// What a deploy does to one deployment, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedDeployment {
    /// Its name.
    pub deployment: String,
    /// Where it runs, as its [`super::Place`] is called.
    pub place: String,
    /// What is done.
    #[serde(flatten)]
    pub change: Change,
    /// Why, the weightiest first. Where nothing is done, what is worth to know.
    pub reasons: Vec<Reason>,
    /// Of what is declared.
    pub recipe: Digest,
    /// Of what runs, without what changes by itself: servers, and how many there are where something else decides.
    pub world: Digest,
}

/// What is done to a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Nothing.
    Nothing,
    /// Its first generation is made.
    Create {
        /// Its number.
        to: u32,
    },
    /// A new generation takes the traffic from these.
    Roll {
        /// Those that have it now.
        from: Vec<u32>,
        /// The new one.
        to: u32,
    },
    /// The generation stays, and is mended or adjusted while it runs.
    Adjust {
        /// Which.
        generation: u32,
    },
    /// Servers of it are missing or ill: their keeper replaces them, and that is waited for.
    Mend {
        /// Which.
        generation: u32,
    },
    /// The generation that served is gone: another one is made.
    Recreate {
        /// Its number.
        to: u32,
    },
    /// What somebody has begun is brought to its end first.
    Unfinished {
        /// The generation that it was begun with.
        generation: u32,
        /// Whether it is what is declared, so that it takes the traffic; else it is undone.
        goes_on: bool,
        /// What is done after that.
        then: Box<Change>,
    },
    /// Nothing: it runs and is not in the recipes.
    Orphan {
        /// Its generations.
        generations: Vec<u32>,
    },
}

impl Change {
    /// Whether a deploy has anything to do.
    #[must_use]
    pub fn is_work(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Orphan { .. })
    }

    /// How much it does: what was agreed to may turn out to be less, never more.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::Nothing | Self::Orphan { .. } => 0,
            Self::Mend { .. } => 1,
            Self::Adjust { .. } => 2,
            Self::Create { .. } | Self::Roll { .. } | Self::Recreate { .. } => 3,
            Self::Unfinished { .. } => 4,
        }
    }

    /// Whether it is as much as another one. Servers fall ill and are replaced by themselves: that is no difference.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let settled = |change: &Self| match change {
            Self::Mend { .. } => Self::Nothing,
            change => change.clone(),
        };
        settled(self) == settled(other)
    }
}
