use crate::{Origin, Problems};
use kiln_rules as rules;
use serde::{Deserialize, Serialize};

/// An AMI that somebody else made: a base for images that are baked on EC2.
///
/// Which one it is, is resolved into `kiln.lock` once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ami {
    /// Where it was named.
    pub origin: Origin,
    /// How it is found.
    pub source: AmiSource,
}

/// How an [`Ami`] is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmiSource {
    /// It is this one: `ami-…`. Each region has its own.
    Id(String),
    /// A parameter of Systems Manager holds its identifier.
    Parameter(String),
    /// It is the one that was made last.
    Newest {
        /// Whose it is: 12 digits, `self`, `amazon` or `aws-marketplace`.
        owner: String,
        /// What its name looks like, with `*` and `?`.
        name: String,
    },
}

/// An AMI by its identifier: `ami-0123456789abcdef0`. An AMI exists in one region.
///
/// ```
/// # use kiln::prelude::*;
/// # use kiln::AmiSource;
/// let base = ami("ami-0123456789abcdef0");
/// assert_eq!(base.source, AmiSource::Id("ami-0123456789abcdef0".into()));
/// ```
#[track_caller]
pub fn ami(id: impl Into<String>) -> Ami {
    Ami { origin: Origin::caller(), source: AmiSource::Id(id.into()) }
}

/// The AMI that a parameter of Systems Manager names, as its publisher keeps it up to date.
///
/// ```
/// # use kiln::prelude::*;
/// let base = ami_parameter("/aws/service/debian/release/12/latest/amd64");
/// # assert!(matches!(base.source, kiln::AmiSource::Parameter(_)));
/// ```
#[track_caller]
pub fn ami_parameter(name: impl Into<String>) -> Ami {
    Ami { origin: Origin::caller(), source: AmiSource::Parameter(name.into()) }
}

/// Of an owner's AMIs whose names fit a pattern, the one that was made last.
///
/// ```
/// # use kiln::prelude::*;
/// let base = newest_ami("136693071363", "debian-12-amd64-*");
/// # assert!(matches!(base.source, kiln::AmiSource::Newest { .. }));
/// ```
#[track_caller]
pub fn newest_ami(owner: impl Into<String>, name: impl Into<String>) -> Ami {
    let source = AmiSource::Newest { owner: owner.into(), name: name.into() };
    Ami { origin: Origin::caller(), source }
}

crate::base::bottoms!(ami ami_parameter newest_ami);

impl Ami {
    pub(crate) fn check(&self, problems: &mut Problems) {
        match &self.source {
            AmiSource::Id(id) => {
                problems.check(&self.origin, rules::ami(id));
            }
            AmiSource::Parameter(name) => {
                problems.check(&self.origin, rules::ami_parameter(name));
            }
            AmiSource::Newest { owner, name } => {
                problems.check(&self.origin, rules::ami_owner(owner));
                problems.check(&self.origin, rules::ami_name_pattern(name));
            }
        }
    }
}
