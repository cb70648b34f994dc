use super::rights::Rights;
use super::{Object, Place, Put};
use async_trait::async_trait;
use kiln_engine::Error;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A directory. Who writes an object holds the lock of its folder, which ends with the process; an object gets its name when
/// all of it is on the disk. Who may use it is as its root says.
pub(crate) struct Folder {
    root: PathBuf,
    name: String,
}

impl Folder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { name: root.display().to_string(), root }
    }

    /// Does something on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        path: &str,
        doing: &'static str,
        work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.root.join(path);
        let shown = path.display().to_string();
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        done.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error| {
            Error::environment(format!("cannot {doing} `{shown}` of the state"))
                .help("look at its rights, or name another place with `--state`")
                .caused_by(error)
        })
    }
}

#[async_trait]
impl Place for Folder {
    fn name(&self) -> &str {
        &self.name
    }

    async fn get(&self, path: &str) -> Result<Option<Object>, Error> {
        self.blocking(path, "read", read).await
    }

    async fn put(&self, path: &str, bytes: Vec<u8>, over: Option<&str>) -> Result<Put, Error> {
        let (over, root) = (over.map(ToOwned::to_owned), self.root.clone());
        self.blocking(path, "write", move |path| {
            let rights = Rights::of(&root);
            let _lock = lock(path, rights)?;
            if read(path)?.map(|object| object.version) != over {
                return Ok(Put::Conflict);
            }
            write(path, &bytes, rights)?;
            Ok(Put::Done(version(&bytes)))
        })
        .await
    }

    async fn touch(&self, path: &str, bytes: Vec<u8>) -> Result<SystemTime, Error> {
        let root = self.root.clone();
        self.blocking(path, "write", move |path| {
            let rights = Rights::of(&root);
            rights.directory(parent(path))?;
            write(path, &bytes, rights)
        })
        .await
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.blocking(path, "remove", |path| match std::fs::remove_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
        .await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        self.blocking(folder, "list", |path| {
            let entries = match std::fs::read_dir(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries?,
            };
            let mut names = Vec::new();
            for entry in entries {
                let name = entry?.file_name().to_string_lossy().into_owned();
                // Locks, and what a killed process was writing.
                if !name.starts_with('.') {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        })
        .await
    }
}

pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn version(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn read(path: &Path) -> std::io::Result<Option<Object>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes)?;
    let modified = file.metadata()?.modified()?;
    Ok(Some(Object { version: version(&bytes), bytes, modified }))
}

/// The lock of the folder of an object; it is never removed, so whoever has it has the one that all ask for.
fn lock(path: &Path, rights: Rights) -> std::io::Result<File> {
    let folder = parent(path);
    rights.directory(folder)?;
    let path = folder.join(".lock");
    let mut options = File::options();
    options.write(true);
    let file = match options.open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = rights.file(folder)?.persist_noclobber(&path);
            // Somebody was quicker; or the file system has neither links nor such a rename, as folders of VirtualBox.
            made.or_else(|_| options.create(true).truncate(false).mode(0o600).open(&path))?
        }
        opened => opened?,
    };
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// Its time is that of its writing, by the clock of the file system.
fn write(path: &Path, bytes: &[u8], rights: Rights) -> std::io::Result<SystemTime> {
    let folder = parent(path);
    let mut file = rights.file(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let modified = file.as_file().metadata()?.modified()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(modified)
}
