use kiln_engine::Error;
use kiln_engine::lock::LockedFile;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Locked files that a machine could not fetch itself, fetched here: `<store>/ec2/files/<sha256>`.
#[derive(Debug)]
pub(crate) struct Files {
    dir: PathBuf,
}

impl Files {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Makes sure that these files are here and are what was locked; returns where, in their order. Blocks.
    ///
    /// # Errors
    /// Naming the file, when it cannot be fetched or is another one.
    pub(crate) fn fetch(&self, files: &[LockedFile]) -> Result<Vec<PathBuf>, Error> {
        std::fs::create_dir_all(&self.dir).map_err(|error| cannot("make", &self.dir, error))?;
        files.iter().map(|file| self.one(file)).collect()
    }

    fn one(&self, file: &LockedFile) -> Result<PathBuf, Error> {
        let path = self.dir.join(&file.sha256);
        let is_good = |path: &Path| {
            File::open(path)
                .and_then(|here| copy(here, &mut std::io::sink()))
                .is_ok_and(|(sha256, size)| sha256 == file.sha256 && size == file.size)
        };
        if is_good(&path) {
            return Ok(path);
        }
        let fetching = || format!("cannot fetch `{}` from {}", file.name(), file.url);
        let response = agent().get(&file.url).call().map_err(|cause| {
            let error = Error::environment(fetching());
            match cause {
                ureq::Error::StatusCode(404 | 410) => error
                    .caused_by(cause)
                    .help("the archive no longer has this version: run `cargo xtask update`"),
                _ => error.caused_by(cause).help("check the network"),
            }
        })?;
        let mut staged = tempfile::NamedTempFile::new_in(&self.dir)
            .map_err(|error| cannot("write in", &self.dir, error))?;
        // One byte more than locked: enough to see that it is another file.
        let body = response.into_body().into_reader().take(file.size + 1);
        let (sha256, size) = copy(body, staged.as_file_mut())
            .map_err(|error| Error::environment(fetching()).caused_by(error))?;
        if sha256 != file.sha256 || size != file.size {
            return Err(Error::environment(format!(
                "`{}` is not the file that was locked",
                file.url
            ))
            .help(
                "the archive has replaced it: run `cargo xtask update` and review what changed",
            ));
        }
        staged.persist(&path).map_err(|error| cannot("write", &path, error.error))?;
        Ok(path)
    }
}

fn copy(mut from: impl Read, to: &mut impl Write) -> std::io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut size = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                to.write_all(&buffer[..count])?;
                size += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let hex = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((hex, size))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .build()
        .into()
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::environment(format!("cannot {what} `{}`", path.display())).caused_by(error)
}
