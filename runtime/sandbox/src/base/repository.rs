use crate::fault::Fault;
use kiln_engine::Error;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A flat archive of packages on this machine, which apt reads without network.
pub(super) struct Repository {
    /// The line that names it to apt.
    pub(super) source: String,
    /// The names of its packages, sorted.
    pub(super) packages: Vec<String>,
}

/// Lays out package files, already verified, as an archive in a new directory. Each file's own name is
/// the SHA-256 that it has.
pub(super) fn lay_out(debs: &[PathBuf], dir: &Path) -> Result<Repository, Error> {
    std::fs::create_dir(dir).doing("make", dir)?;
    let mut stanzas: Vec<(String, String)> =
        debs.par_iter().map(|deb| stanza(deb, dir)).collect::<Result<_, _>>()?;
    stanzas.sort();
    let index: Vec<&str> = stanzas.iter().map(|(_, stanza)| stanza.as_str()).collect();
    let path = dir.join("Packages");
    std::fs::write(&path, index.join("\n")).doing("write", &path)?;
    let mut packages: Vec<String> = stanzas.into_iter().map(|(name, _)| name).collect();
    packages.dedup();
    Ok(Repository { source: format!("deb [trusted=yes] copy:{} ./", dir.display()), packages })
}

/// The name of a package and its entry in the index.
fn stanza(deb: &Path, dir: &Path) -> Result<(String, String), Error> {
    let sha256 = deb.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let output = Command::new("dpkg-deb").arg("--field").arg(deb).output();
    let output = output.failing("cannot run `dpkg-deb`")?;
    let control = String::from_utf8_lossy(&output.stdout);
    let name = control.lines().find_map(|line| line.strip_prefix("Package: "));
    let (true, Some(name)) = (output.status.success(), name) else {
        return Err(Error::environment(format!(
            "`{sha256}` in the lock file is no Debian package"
        )));
    };
    let size = deb.metadata().doing("read", deb)?.len();
    let file = format!("{sha256}.deb");
    let linked = dir.join(&file);
    std::fs::hard_link(deb, &linked)
        .or_else(|_| std::fs::copy(deb, &linked).map(|_| ()))
        .doing("lay out", &linked)?;
    let control = control.trim_end();
    Ok((
        name.to_owned(),
        format!("{control}\nFilename: ./{file}\nSize: {size}\nSHA256: {sha256}\n"),
    ))
}
