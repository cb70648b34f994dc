use crate::fault::Fault;
use kiln_engine::Error;
use std::path::{Path, PathBuf};

/// The OCI runtime of this machine: `crun`, or else `runc`.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    program: PathBuf,
    kind: Kind,
}

/// Which one; they differ in what `exec` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Crun,
    Runc,
}

impl Runtime {
    /// Looks on `PATH`. `KILN_RUNTIME` names one of the two to use.
    ///
    /// # Errors
    /// When neither is installed.
    pub(crate) fn find() -> Result<Self, Error> {
        let wanted = std::env::var("KILN_RUNTIME").unwrap_or_default();
        [("crun", Kind::Crun), ("runc", Kind::Runc)]
            .into_iter()
            .filter(|(name, _)| wanted.is_empty() || wanted == *name)
            .find_map(|(name, kind)| Some(Self { program: on_path(name)?, kind }))
            .ok_or_else(|| {
                let missing = if wanted.is_empty() { "`crun` or `runc`" } else { wanted.as_str() };
                Error::environment(format!("no OCI runtime on this machine: {missing} not found"))
                    .help("apt-get install crun")
            })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// A command of the runtime whose state lies in `state`.
    pub(crate) fn command(&self, state: &Path, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.arg("--root").arg(state).args(arguments).stdin(std::process::Stdio::null());
        command
    }

    /// Kills what is in a container and removes it. One that is not there is no error.
    pub(crate) fn delete(&self, state: &Path, id: &str) -> Result<(), Error> {
        let output = self
            .command(state, &["delete", "--force", id])
            .output()
            .failing("cannot run the OCI runtime")?;
        if output.status.success() || !state.join(id).exists() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr);
        Err(Error::environment(format!("cannot remove container `{id}`: {}", message.trim())))
    }
}

/// A program by its name, as a shell finds it.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    // root's shells often lack the `sbin` directories, where Debian puts `runc`.
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| {
            rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file()
        })
}
