use crate::run::Object;
use std::collections::BTreeMap;

/// What was made for a project, and who else stands on it: all that EC2 is asked for, but for [`super::users`].
#[derive(Debug, Default)]
pub(super) struct Belongings {
    /// Those that are not terminated.
    pub(super) instances: Vec<Thing>,
    pub(super) images: Vec<ImageThing>,
    pub(super) snapshots: Vec<SnapshotThing>,
    /// Those that no instance has.
    pub(super) volumes: Vec<Thing>,
    pub(super) groups: Vec<Thing>,
    /// By snapshot: an AMI of somebody else that stands on it.
    pub(super) stood_on: BTreeMap<String, String>,
    /// By AMI: one of somebody else that was made from it.
    pub(super) copied: BTreeMap<String, String>,
}

/// What kinds of things are told apart, in the order in which they can go: an instance holds its group, an AMI
/// its snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Instance,
    Image,
    Snapshot,
    Volume,
    Group,
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::Instance, Self::Image, Self::Snapshot, Self::Volume, Self::Group];

    /// For people, and in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Image => "image",
            Self::Snapshot => "snapshot",
            Self::Volume => "volume",
            Self::Group => "security group",
        }
    }

    /// What it is to a journal; volumes come and go with their instances, and are in none.
    pub(super) fn object(self) -> Option<Object> {
        match self {
            Self::Instance => Some(Object::Instance),
            Self::Image => Some(Object::Image),
            Self::Snapshot => Some(Object::Snapshot),
            Self::Group => Some(Object::SecurityGroup),
            Self::Volume => None,
        }
    }
}

/// Something, by its tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) id: String,
    /// What it is of, for people: `web/site`.
    pub(super) name: String,
    /// What bakes find it by; `None`: it is there for one bake only.
    pub(super) key: Option<String>,
    pub(super) run: String,
    /// `user@host`.
    pub(super) owner: String,
    /// Seconds since 1970; `None`: never.
    pub(super) expires: Option<u64>,
}

/// An AMI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ImageThing {
    pub(super) thing: Thing,
    pub(super) condition: Condition,
    /// What it stands on.
    pub(super) snapshots: Vec<String>,
    /// As EC2 writes it: the texts sort as the times do.
    pub(super) created: String,
    /// The same in seconds since 1970.
    pub(super) made: u64,
}

/// A snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SnapshotThing {
    pub(super) thing: Thing,
    pub(super) condition: Condition,
    /// Seconds since 1970.
    pub(super) made: u64,
}

/// Whether a bake would take it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Condition {
    #[default]
    Usable,
    /// EC2 is still making it, and no bake takes it before that is done.
    Unfinished,
    /// None ever will, for this reason.
    Useless(&'static str),
    /// A person has taken it out of use, and may put it back.
    Disabled,
}
