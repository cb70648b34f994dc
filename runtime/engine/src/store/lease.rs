use crate::Error;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The right to build a key: an exclusive lock on a file. It ends with this value, or with the process.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    _file: File,
}

impl Lease {
    pub(super) async fn take(path: &Path, on_wait: impl FnOnce()) -> Result<Self, Error> {
        let failed = |error: std::io::Error| {
            Error::environment(format!("cannot take the lease `{}`", path.display()))
                .caused_by(error)
        };
        let mut on_wait = Some(on_wait);
        loop {
            let file = File::options().create(true).append(true).open(path).map_err(failed)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_still_at(&file, path) => {
                    return Ok(Self { path: path.to_owned(), _file: file });
                }
                // The holder before us removed the file: what we have locked has no name any more.
                Ok(()) => continue,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    if let Some(on_wait) = on_wait.take() {
                        on_wait();
                    }
                    // flock has no way to wait that can be cancelled.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Removed while locked: whoever waits finds that its file has no name and makes a new one.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => ours.ino() == there.ino() && ours.dev() == there.dev(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread")]
    async fn one_at_a_time_holds_a_lease() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let holders = AtomicUsize::new(0);
        let take = || async {
            for _ in 0..50 {
                let lease = Lease::take(&path, || {}).await.unwrap();
                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1);
                drop(lease);
            }
        };
        tokio::join!(take(), take(), take());
    }
}
