use super::past::Past;
use kiln_engine::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What is written down before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    Instance,
    /// An AMI: one that a machine is launched from and that goes then, or one that is kept.
    Image,
    /// A snapshot that an AMI is made of. Those of layers are not written down: they are artifacts as soon
    /// as they exist.
    Snapshot,
    SecurityGroup,
}

impl Object {
    pub(super) const ALL: [Self; 4] =
        [Self::Instance, Self::Image, Self::Snapshot, Self::SecurityGroup];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Image => "image",
            Self::Snapshot => "snapshot",
            Self::SecurityGroup => "security-group",
        }
    }
}

/// The cloud that a run works in: `eu-west-1`, or `eu-west-1 at http://…`. Journals of other places are left
/// alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Where(pub(crate) String);

/// The journal of a run that lives: `<runs>/<id>/journal`, beside a lock that is held as long as the process
/// lives.
#[derive(Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: String,
    dir: PathBuf,
    file: Mutex<File>,
    counter: AtomicU64,
    _lock: File,
}

impl Journal {
    pub(super) fn begin(runs: &Path, place: &Where) -> Result<Self, Error> {
        let failed = |error: std::io::Error| cannot_write(runs, error);
        std::fs::create_dir_all(runs).map_err(failed)?;
        // Unique in the account: the id is also the names' and tokens' first part.
        let dir = tempfile::Builder::new().prefix("").rand_bytes(12).tempdir_in(runs);
        let dir = dir.map_err(failed)?.keep();
        let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A sweep that sees the directory before the lock is taken leaves it: it has no lock file yet.
        let staged = dir.join("lock.new");
        let lock = File::create(&staged).map_err(failed)?;
        lock.try_lock().map_err(|error| failed(error.into()))?;
        std::fs::rename(&staged, dir.join("lock")).map_err(failed)?;
        let mut file = File::create(dir.join("journal")).map_err(failed)?;
        writeln!(file, "where {}", place.0).and_then(|()| file.sync_all()).map_err(failed)?;
        File::open(&dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        let shared =
            Shared { id, dir, file: Mutex::new(file), counter: AtomicU64::new(0), _lock: lock };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn intend(&self, object: Object) -> Result<Intent, Error> {
        let number = self.shared.counter.fetch_add(1, Ordering::Relaxed);
        self.shared.write(&format!("intend {number} {} {}", object.word(), super::now()))?;
        Ok(Intent { journal: Arc::clone(&self.shared), number, object })
    }
}

impl Shared {
    /// A machine that loses power must not have made what it does not remember.
    fn write(&self, line: &str) -> Result<(), Error> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}")
            .and_then(|()| file.sync_data())
            .map_err(|error| cannot_write(&self.dir, error))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Everything is gone or kept on purpose: nothing for the next run to do.
        if Past::read(&self.dir).is_ok_and(|past| past.open.is_empty()) {
            let _the_next_run_tries_again = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// An object that is about to be made.
#[derive(Debug)]
pub(crate) struct Intent {
    journal: Arc<Shared>,
    number: u64,
    object: Object,
}

/// What has a line in the journal.
pub(crate) trait Traced {
    /// The run's id.
    fn run(&self) -> &str;

    /// Unique in the account: the client token of the creation, a tag, and part of names.
    fn token(&self) -> String;
}

impl Traced for Intent {
    fn run(&self) -> &str {
        &self.journal.id
    }

    fn token(&self) -> String {
        format!("{}-{}", self.journal.id, self.number)
    }
}

impl Traced for Made {
    fn run(&self) -> &str {
        &self.journal.id
    }

    fn token(&self) -> String {
        format!("{}-{}", self.journal.id, self.number)
    }
}

impl Intent {
    pub(super) fn object(&self) -> Object {
        self.object
    }

    /// It has been made.
    pub(super) fn made(self, id: &str) -> Result<Made, Error> {
        self.journal.write(&format!("made {} {id}", self.number))?;
        Ok(Made { journal: self.journal, number: self.number, id: id.to_owned() })
    }

    /// EC2 has refused to make it.
    pub(super) fn refused(self) -> Result<(), Error> {
        self.journal.write(&format!("done {}", self.number))
    }
}

/// An object that was made, and that somebody must end.
#[derive(Debug)]
pub(crate) struct Made {
    journal: Arc<Shared>,
    number: u64,
    id: String,
}

impl Made {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// EC2 shows it, or has used it.
    pub(crate) fn seen(&self) -> Result<(), Error> {
        self.journal.write(&format!("seen {}", self.number))
    }

    /// It is gone, or is to stay.
    pub(crate) fn done(self) -> Result<(), Error> {
        self.journal.write(&format!("done {}", self.number))
    }
}

fn cannot_write(dir: &Path, error: std::io::Error) -> Error {
    Error::environment(format!("cannot write the journal in `{}`", dir.display()))
        .help("nothing is made on EC2 that is not written down: make the store writable")
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::super::past::lock_of_the_dead;
    use super::*;

    fn journal(runs: &Path) -> Journal {
        Journal::begin(runs, &Where("eu-west-1".into())).unwrap()
    }

    #[test]
    fn what_was_not_ended_is_left_with_what_is_known_of_it() {
        let runs = tempfile::tempdir().unwrap();
        let journal = journal(runs.path());
        let instance = journal.intend(Object::Instance).unwrap().made("i-1").unwrap();
        journal.intend(Object::SecurityGroup).unwrap().made("sg-1").unwrap().done().unwrap();
        journal.intend(Object::Snapshot).unwrap().refused().unwrap();
        let image = journal.intend(Object::Image).unwrap();
        let past = Past::read(&journal.shared.dir).unwrap();
        assert_eq!(past.place, Where("eu-west-1".into()));
        let seen: Vec<_> = past.open.iter().map(|left| (left.object, left.id.as_deref())).collect();
        assert_eq!(seen, [(Object::Instance, Some("i-1")), (Object::Image, None)]);
        assert_eq!(past.open[1].token, image.token());
        assert_eq!(instance.id(), "i-1");
    }

    #[test]
    fn a_run_that_ended_everything_leaves_no_journal_and_one_that_did_not_does() {
        let runs = tempfile::tempdir().unwrap();
        let tidy = journal(runs.path());
        tidy.intend(Object::Instance).unwrap().made("i-1").unwrap().done().unwrap();
        drop(tidy);
        assert_eq!(std::fs::read_dir(runs.path()).unwrap().count(), 0);
        let untidy = journal(runs.path());
        let made = untidy.intend(Object::Instance).unwrap().made("i-2").unwrap();
        drop((untidy, made));
        assert_eq!(std::fs::read_dir(runs.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_run_that_lives_is_not_dead() {
        let runs = tempfile::tempdir().unwrap();
        let living = journal(runs.path());
        let made = living.intend(Object::Instance).unwrap();
        let dir = living.shared.dir.clone();
        assert!(lock_of_the_dead(&dir).is_none());
        drop((living, made));
        assert!(lock_of_the_dead(&dir).is_some());
    }
}
