use crate::{Origin, Problems};
use kiln_rules as rules;
use serde::{Deserialize, Serialize};

/// The kind of a volume unless the recipe says another.
const DEFAULT_KIND: &str = "gp3";

/// The volume that an instance boots from.
///
/// ```
/// # use kiln::prelude::*;
/// let builder = ec2().volume(Volume::new().size(16).iops(4000));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// GiB; `None`: as large as the base's.
    pub size: Option<u32>,
    /// `gp3`, `gp2`, `io1`, `io2` or `standard`.
    pub kind: String,
    /// Operations a second; `None`: what the kind has by itself.
    pub iops: Option<u32>,
    /// MiB a second; `None`: what the kind has by itself.
    pub throughput: Option<u32>,
}

impl Default for Volume {
    fn default() -> Self {
        Self::new()
    }
}

impl Volume {
    /// A `gp3` volume as large as the base's.
    #[must_use]
    pub fn new() -> Self {
        Self { size: None, kind: DEFAULT_KIND.into(), iops: None, throughput: None }
    }

    /// Its size in GiB, 1 to 65536. It cannot be smaller than the base's.
    #[must_use]
    pub fn size(mut self, gib: u32) -> Self {
        self.size = Some(gib);
        self
    }

    /// Its kind: `gp3` unless told.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Operations a second: for `gp3`, `io1` and `io2`.
    #[must_use]
    pub fn iops(mut self, per_second: u32) -> Self {
        self.iops = Some(per_second);
        self
    }

    /// MiB a second: for `gp3`.
    #[must_use]
    pub fn throughput(mut self, mib_per_second: u32) -> Self {
        self.throughput = Some(mib_per_second);
        self
    }

    /// Takes the size that is left unsaid from another one.
    pub(super) fn based_on(
        mut self,
        other: &Self,
        origin: &Origin,
        problems: &mut Problems,
    ) -> Self {
        if let (None, Some(size)) = (self.size, other.size) {
            self.size = Some(size);
            let (size, kind) = (u64::from(size), Some(self.kind.as_str()));
            // What is wrong at any size has been noted.
            if let Some(iops) = self.iops.map(u64::from)
                && rules::volume_iops(kind, None, iops).is_ok()
            {
                problems.check(origin, rules::volume_iops(kind, Some(size), iops));
            }
        }
        self
    }

    pub(crate) fn check(&self, origin: &Origin, problems: &mut Problems) {
        let Self { size, kind, iops, throughput } = self;
        let [size, iops, throughput] = [size, iops, throughput].map(|value| value.map(u64::from));
        // Bounds are those of the kind, where it is one.
        let kind = problems.check(origin, rules::volume_kind(kind)).map(|()| kind.as_str());
        if let Some(size) = size {
            problems.check(origin, rules::volume_size(kind, size));
        }
        if let Some(iops) = iops {
            problems.check(origin, rules::volume_iops(kind, size, iops));
        }
        if let Some(throughput) = throughput {
            problems.check(origin, rules::volume_throughput(kind, iops, throughput));
        }
    }
}
