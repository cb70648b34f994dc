use crate::fault::Fault;
use crate::run::Run;
use kiln_engine::Error;
use kiln_engine::lock::LockedFile;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Transfers at a time.
const AT_ONCE: usize = 8;

/// Tries of one file.
const TRIES: usize = 3;

/// Locked files, fetched once: `<store>/sandbox/files/<sha256>`.
#[derive(Debug)]
pub(crate) struct Files {
    dir: PathBuf,
    run: Arc<Run>,
    verified: Mutex<BTreeSet<String>>,
}

impl Files {
    pub(crate) fn open(dir: &Path, run: Arc<Run>) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).doing("make", dir)?;
        Ok(Self { dir: dir.to_owned(), run, verified: Mutex::default() })
    }

    /// Makes sure that these files are here and are what was locked; returns where, in their order.
    ///
    /// # Errors
    /// Naming the file, when it cannot be fetched or is another one.
    pub(crate) fn fetch(
        &self,
        files: &[LockedFile],
        output: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Vec<PathBuf>, Error> {
        let paths = files.iter().map(|file| self.dir.join(&file.sha256)).collect();
        let missing: Vec<&LockedFile> = {
            use rayon::prelude::*;
            files.par_iter().filter(|file| !self.is_here(file)).collect()
        };
        if missing.is_empty() {
            return Ok(paths);
        }
        let bytes: u64 = missing.iter().map(|file| file.size).sum();
        output(&format!("fetching {} files, {:.1} MB", missing.len(), bytes as f64 / 1e6));
        let agent = agent();
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<Error>> = Mutex::new(None);
        // Threads of their own: they wait for the network, and would keep others from hashing.
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(missing.len()) {
                scope.spawn(|| {
                    while let Some(file) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(error) = self.fetch_one(&agent, file) {
                            let mut slot = failure.lock().unwrap_or_else(PoisonError::into_inner);
                            slot.get_or_insert(error);
                            next.store(missing.len(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(paths),
        }
    }

    /// Whether a file is here with the right content. Looked at once in the life of this process.
    fn is_here(&self, file: &LockedFile) -> bool {
        let known = || self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&file.sha256) {
            return true;
        }
        let path = self.dir.join(&file.sha256);
        let Ok(content) = File::open(&path) else { return false };
        let good = content.metadata().is_ok_and(|meta| meta.is_file() && meta.len() == file.size)
            && sha256(content, &mut std::io::sink()).is_ok_and(|(hex, _)| hex == file.sha256);
        if good {
            known().insert(file.sha256.clone());
        } else {
            let _replaced_by_a_rename = std::fs::remove_file(&path);
        }
        good
    }

    fn fetch_one(&self, agent: &ureq::Agent, file: &LockedFile) -> Result<(), Error> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.transfer(agent, file) {
                Ok(()) => return Ok(()),
                Err(Failure::Passing(_)) if tried < TRIES => {
                    std::thread::sleep(Duration::from_millis(300 * tried as u64));
                }
                Err(Failure::Passing(error) | Failure::Lasting(error)) => return Err(error),
            }
        }
    }

    fn transfer(&self, agent: &ureq::Agent, file: &LockedFile) -> Result<(), Failure> {
        let fetching = || format!("cannot fetch `{}` from {}", file.name(), file.url);
        let response = agent.get(&file.url).call().map_err(|cause| {
            let error = Error::environment(fetching());
            match cause {
                ureq::Error::StatusCode(404 | 410) => Failure::Lasting(
                    error
                        .caused_by(cause)
                        .help("the archive no longer has this version: run `cargo xtask update`"),
                ),
                ureq::Error::StatusCode(500..) => Failure::Passing(error.caused_by(cause)),
                ureq::Error::StatusCode(_) => Failure::Lasting(error.caused_by(cause)),
                _ => Failure::Passing(error.caused_by(cause).help("check the network")),
            }
        })?;
        let staged = self.run.dir().join(self.run.name("fetch-"));
        let result = self.receive(response.into_body().into_reader(), file, &staged);
        if result.is_err() {
            let _goes_with_the_run = std::fs::remove_file(&staged);
        }
        result
    }

    fn receive(&self, body: impl Read, file: &LockedFile, staged: &Path) -> Result<(), Failure> {
        let mut to = File::create(staged).doing("make", staged).map_err(Failure::Lasting)?;
        // One byte more than locked: enough to see that it is another file.
        let (hex, size) = sha256(body.take(file.size + 1), &mut to)
            .map_err(|cause| {
                Error::environment(format!("cannot fetch `{}` from {}", file.name(), file.url))
                    .caused_by(cause)
            })
            .map_err(Failure::Passing)?;
        if size < file.size {
            return Err(Failure::Passing(Error::environment(format!(
                "`{}` ended after {size} of {} bytes",
                file.url, file.size
            ))));
        }
        if size > file.size || hex != file.sha256 {
            return Err(Failure::Lasting(
                Error::environment(format!("`{}` is not the file that was locked", file.url)).help(
                    "the archive has replaced it: run `cargo xtask update` and review what changed",
                ),
            ));
        }
        let kept = self.dir.join(&file.sha256);
        std::fs::rename(staged, &kept).doing("write", &kept).map_err(Failure::Lasting)?;
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(hex);
        Ok(())
    }
}

enum Failure {
    /// Another try may do.
    Passing(Error),
    /// It will not.
    Lasting(Error),
}

fn sha256(mut from: impl Read, to: &mut impl Write) -> std::io::Result<(String, u64)> {
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
    let tls = ureq::tls::TlsConfig::builder().root_certs(system_certificates()).build();
    ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .tls_config(tls)
        .build()
        .into()
}

/// The certificate authorities that this machine trusts, which may include a company's own; else
/// Mozilla's.
fn system_certificates() -> ureq::tls::RootCerts {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let usual = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
    let bundle = named.into_iter().chain(usual.map(PathBuf::from)).find_map(|path| {
        let pem = std::fs::read(path).ok()?;
        let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        (!certificates.is_empty()).then_some(certificates)
    });
    match bundle {
        Some(certificates) => ureq::tls::RootCerts::Specific(Arc::new(certificates)),
        None => ureq::tls::RootCerts::WebPki,
    }
}
