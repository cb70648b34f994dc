//! One run of the builder: what it makes on EC2 is written down before it is made, and removed by the next
//! run when this one died.

mod journal;
mod living;
mod made;
mod past;
mod remove;
mod sweep;

pub(crate) use journal::{Intent, Made, Object, Traced, Where};
pub(crate) use living::{Life, Runs, living};
pub(crate) use made::{double, settle};
pub(crate) use remove::{Age, remove, try_remove};
pub(crate) use sweep::Remains;

use crate::aws::tags::{self, Tags};
use journal::Journal;
use kiln_engine::Error;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long what is made for a bake may live when nobody ends it. No bake takes longer; a machine powers itself
/// off then, which terminates it.
pub(crate) const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// The tag that names an object's line in the journal, and is the token that makes its creation happen once.
pub(crate) const INTENT: &str = "kiln:intent";

/// This process's part in `<store>/ec2/runs/`. Begun when the first object is made: a bake that finds
/// everything writes nothing.
#[derive(Debug)]
pub(crate) struct Run {
    runs: PathBuf,
    place: Where,
    project: String,
    journal: OnceLock<Journal>,
    beginning: std::sync::Mutex<()>,
}

impl Run {
    pub(crate) fn new(runs: PathBuf, place: Where, project: &str) -> Self {
        Self {
            runs,
            place,
            project: project.to_owned(),
            journal: OnceLock::new(),
            beginning: std::sync::Mutex::new(()),
        }
    }

    /// Writes down that an object is about to be made.
    ///
    /// # Errors
    /// When it cannot be written: then it must not be made.
    pub(crate) fn intend(&self, object: Object) -> Result<Intent, Error> {
        self.journal()?.intend(object)
    }

    fn journal(&self) -> Result<&Journal, Error> {
        let _one_begins = self.beginning.lock();
        if self.journal.get().is_none() {
            let _this_is_the_only_one = self.journal.set(Journal::begin(&self.runs, &self.place)?);
        }
        self.journal.get().ok_or_else(|| Error::environment("the run has no journal"))
    }

    /// The tags that everything of this run bears. What stays has `lifetime` none.
    pub(crate) fn tags(&self, of: &impl Traced, lifetime: Option<Duration>) -> Tags {
        let expires = match lifetime {
            Some(lifetime) => (now() + lifetime.as_secs()).to_string(),
            None => "never".to_owned(),
        };
        [
            (tags::RUN, of.run().to_owned()),
            (INTENT, of.token()),
            (tags::OWNER, owner()),
            (tags::PROJECT, self.project.clone()),
            (tags::EXPIRES, expires),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Who runs this: `user@host`.
pub(crate) fn owner() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = named("SUDO_USER").or_else(|| named("USER")).or_else(|| named("LOGNAME"));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    tags::value(&format!("{}@{}", user.as_deref().unwrap_or("root"), host.trim()))
}
