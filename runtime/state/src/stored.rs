use kiln_engine::Error;
use kiln_engine::driver::{Holder, Intent};
use serde::{Deserialize, Serialize};

/// What is written in `lease.json`. `beat` makes each writing different from the last, because a bucket tells versions apart
/// by their content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Of this format.
    pub(crate) version: u32,
    /// Who has it; `None`: nobody.
    pub(crate) holder: Option<Holder>,
    /// Milliseconds after its writing when it ends, unless it is written again.
    pub(crate) time_ms: u64,
    /// How often it was written.
    pub(crate) beat: u64,
    /// What was about to be done, and has neither ended nor been undone.
    pub(crate) intent: Option<Intent>,
}

impl Stored {
    const VERSION: u32 = 1;

    /// What stands where nothing was written yet.
    pub(crate) fn nothing() -> Self {
        Self { version: Self::VERSION, holder: None, time_ms: 0, beat: 0, intent: None }
    }

    /// The next writing.
    pub(crate) fn next(&self, holder: Option<Holder>, time_ms: u64) -> Self {
        let intent = self.intent.clone();
        Self { version: Self::VERSION, holder, time_ms, beat: self.beat + 1, intent }
    }

    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec_pretty(self)
            .map_err(|error| Error::environment("cannot write a lease down").caused_by(error))
    }

    /// # Errors
    /// When it is not a lease, or one of a later Kiln.
    pub(crate) fn parse(bytes: &[u8], place: &str) -> Result<Self, Error> {
        let stored: Self = serde_json::from_slice(bytes).map_err(|error| {
            Error::environment(format!("`{place}` is not a lease of Kiln"))
                .help("if nobody deploys now, remove it; what runs is not touched by that")
                .caused_by(error)
        })?;
        match stored.version {
            Self::VERSION => Ok(stored),
            other => Err(Error::environment(format!(
                "`{place}` has version {other}, this Kiln speaks {}",
                Self::VERSION
            ))
            .help("deploy with the Kiln that has written it, or a later one")),
        }
    }
}
