use crate::driver::{Capacity, Holder, Intent};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing in which what runs is not what is declared. As text: one line in the user's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// Nothing of it has ever run.
    New,
    /// Servers start from another image.
    Image {
        /// Its name.
        image: String,
        /// What about it, as a predicate: ``layer `site`: `site/index.html` changed``.
        why: String,
    },
    /// Servers start with something else.
    Launch(Difference),
    /// Something differs that changes while servers run.
    Running(Difference),
    /// Something differs that stands before the servers.
    Front(Difference),
    /// There are to be more servers, or fewer.
    Capacity {
        /// How many there are to be as it runs.
        runs: Capacity,
        /// How many are declared.
        declared: Capacity,
        /// Whether the recipe said the same when it was deployed.
        drift: bool,
    },
    /// A generation has been removed, though nobody has declared or undone that.
    Vanished {
        /// Which.
        generation: u32,
    },
    /// A generation that served has lost its traffic, though nobody has declared or undone that.
    Detached {
        /// Which.
        generation: u32,
    },
    /// A generation is kept that need not be.
    Surplus {
        /// Which.
        generation: u32,
    },
    /// A deploy or rollback has begun with a generation and has not ended.
    Unfinished {
        /// Which.
        generation: u32,
        /// Who began it, and how they wrote it; `None`: nobody has written that down.
        begun: Option<Begun>,
    },
    /// There are fewer servers than there are to be: their keeper replaces them.
    Missing {
        /// How many are there, without those that start or leave.
        servers: u32,
        /// How many there are to be.
        of: u32,
    },
    /// A server fails its checks: its keeper replaces it.
    Unhealthy {
        /// Its keeper's name for it.
        server: String,
        /// Why.
        why: String,
    },
    /// It runs, and is not in the recipes: `destroy` removes it.
    NotDeclared,
}

/// Who has begun something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// `user@host`.
    pub who: String,
    /// As they wrote it: `deploy production`.
    pub command: String,
}

impl Begun {
    pub(super) fn of(intent: &Intent) -> Self {
        let Holder { who, run: _, command } = &intent.holder;
        Self { who: who.clone(), command: command.clone() }
    }
}

/// A trait that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Of the trait: `instance_type`.
    pub name: String,
    /// What it is where it runs; `None`: nothing.
    pub runs: Option<String>,
    /// What is declared; `None`: nothing.
    pub declared: Option<String>,
    /// Whether the recipe said the same when it was deployed: then somebody has changed what runs.
    pub drift: bool,
}

impl Reason {
    /// Whether somebody has changed what runs by other means.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        match self {
            Self::Launch(difference) | Self::Running(difference) | Self::Front(difference) => {
                difference.drift
            }
            Self::Capacity { drift, .. } => *drift,
            Self::Vanished { .. }
            | Self::Detached { .. }
            | Self::Missing { .. }
            | Self::Unhealthy { .. } => true,
            Self::New
            | Self::Image { .. }
            | Self::Surplus { .. }
            | Self::Unfinished { .. }
            | Self::NotDeclared => false,
        }
    }
}

/// As drift it is told how what was declared has become what runs, else how what runs becomes what is declared.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_drift() {
            f.write_str("drift: ")?;
        }
        match self {
            Self::New => f.write_str("new"),
            Self::Image { image, why } => write!(f, "image: {image} changed: {why}"),
            Self::Launch(difference) | Self::Running(difference) | Self::Front(difference) => {
                difference.fmt(f)
            }
            Self::Capacity { runs, declared, drift } => {
                let (before, after) = if *drift { (declared, runs) } else { (runs, declared) };
                let (before, after) = (Held(*before), Held(*after));
                write!(f, "capacity: {before} → {after}")
            }
            Self::Vanished { generation } => write!(f, "generation {generation} was removed"),
            Self::Detached { generation } => {
                write!(f, "generation {generation} has lost its traffic")
            }
            Self::Surplus { generation } => {
                write!(f, "generation {generation} is not kept any more")
            }
            Self::Unfinished { generation, begun: Some(Begun { who, command }) } => {
                write!(f, "unfinished: `{command}` by {who}, generation {generation}")
            }
            Self::Unfinished { generation, begun: None } => {
                write!(f, "unfinished: generation {generation}")
            }
            Self::Missing { servers, of } => write!(f, "{servers} of {of} servers"),
            Self::Unhealthy { server, why } => write!(f, "{server} is unhealthy: {why}"),
            Self::NotDeclared => f.write_str("not in the recipes"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = match self.drift {
            true => (&self.declared, &self.runs),
            false => (&self.runs, &self.declared),
        };
        write!(f, "{}: {} → {}", self.name, Value(before.as_deref()), Value(after.as_deref()))
    }
}

/// How much of a value is shown: user data may have thousands of lines.
const SHOWN: usize = 60;

struct Value<'a>(Option<&'a str>);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = self.0.filter(|value| !value.is_empty()) else {
            return f.write_str("none");
        };
        let line = value.lines().next().unwrap_or_default();
        let shown: String = line.chars().take(SHOWN).collect();
        f.write_str(&shown)?;
        if shown.len() < value.trim_end().len() { f.write_str("…") } else { Ok(()) }
    }
}

/// How many servers, in as few words as say it.
struct Held(Capacity);

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Capacity { min, desired, max } = self.0;
        match min == max {
            true => write!(f, "{desired}"),
            false => write!(f, "{desired} ({min} to {max})"),
        }
    }
}
