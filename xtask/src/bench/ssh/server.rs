use crate::bench::daemon::Daemon;
use crate::bench::measure;
use crate::bench::place::Place;
use crate::programs;
use anyhow::{Context, Result};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

/// OpenSSH's server on loopback, where root logs in by a key of our own. It ends with the benchmark.
pub(super) struct Server {
    /// Ends the server when it is dropped.
    _daemon: Daemon,
    dir: PathBuf,
    port: u16,
}

impl Server {
    pub(super) fn start(place: &Place) -> Result<Self> {
        let dir = place.dir("sshd")?;
        for key in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"]).arg(dir.join(key));
            measure::run(&mut keygen)?;
        }
        // The kernel gives a port that nobody has.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let public = std::fs::read_to_string(dir.join("host.pub"))?;
        std::fs::write(dir.join("known_hosts"), format!("[127.0.0.1]:{port} {public}"))?;
        let path = dir.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {path}/host\nPidFile none\n\
             AuthorizedKeysFile {path}/user.pub\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nPermitRootLogin prohibit-password\n\
             Subsystem sftp internal-sftp\n"
        );
        std::fs::write(dir.join("config"), config)?;
        let sshd = programs::find("sshd").context("there is no `sshd`")?;
        // It drops its privileges into a directory that its package's service makes.
        let mut start = Command::new("sh");
        start.args(["-c", "mkdir -p /run/sshd && exec \"$0\" -D -e -f \"$1\""]);
        start.arg(sshd).arg(dir.join("config"));
        let daemon = Daemon::start(&start, &dir.join("log"))?;
        daemon.until_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(Self { _daemon: daemon, dir, port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The private key of the user who logs in.
    pub(super) fn key(&self) -> PathBuf {
        self.dir.join("user")
    }

    /// The server's own public key.
    pub(super) fn host_key(&self) -> PathBuf {
        self.dir.join("host.pub")
    }

    pub(super) fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// Options of `ssh` and `scp` by which they reach it, and ask nobody.
    pub(super) fn options(&self) -> Vec<String> {
        let show = |path: &Path| path.display().to_string();
        let options = [
            format!("IdentityFile={}", show(&self.key())),
            format!("UserKnownHostsFile={}", show(&self.known_hosts())),
            format!("Port={}", self.port),
            "IdentitiesOnly=yes".to_owned(),
            "BatchMode=yes".to_owned(),
            "User=root".to_owned(),
        ];
        // None of the user's own settings.
        let none = ["-F".to_owned(), "none".to_owned()];
        none.into_iter()
            .chain(options.into_iter().flat_map(|option| ["-o".to_owned(), option]))
            .collect()
    }
}
