//! OpenSSH's own sshd, on a loopback port, with keys and configuration of its own, in a mount namespace of its own.

use kiln_ssh::{HostKey, KeyPair, Machine, Patience, Target};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const SSHD: &str = "/usr/sbin/sshd";

/// Accounts that only the namespace has: one that may `sudo`, and one that may not.
pub const ADMIN: &str = "kiln-admin";
pub const GUEST: &str = "kiln-guest";
pub const GUEST_UID: u32 = 64802;

/// A running sshd; stopped when dropped, with all that runs in its sessions.
pub struct Sshd {
    pub address: SocketAddr,
    pub user: KeyPair,
    pub host: KeyPair,
    /// For the test's own files.
    pub dir: TempDir,
    daemon: Child,
}

impl Sshd {
    pub fn start() -> Self {
        Self::with("")
    }

    /// With more lines of configuration.
    pub fn with(config: &str) -> Self {
        Self::set_up(config, "")
    }

    /// With commands that change the namespace before sshd starts. `$dir` is the test's directory.
    pub fn set_up(config: &str, commands: &str) -> Self {
        assert!(Path::new(SSHD).exists(), "these tests need sshd: apt-get install openssh-server");
        assert!(Path::new("/usr/bin/sudo").exists(), "these tests need sudo: apt-get install sudo");
        let dir = tempfile::tempdir().unwrap();
        let (user, host) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        for _ in 0..10 {
            if let Some((address, daemon)) = launch(dir.path(), &user, &host, config, commands) {
                return Self { address, user, host, dir, daemon };
            }
        }
        panic!("no free port for sshd");
    }

    pub fn target(&self) -> Target {
        self.target_as("root")
    }

    pub fn target_as(&self, user: &str) -> Target {
        let (key, host_key): (KeyPair, HostKey) = (self.user.clone(), self.host.host_key());
        Target { address: self.address, user: user.into(), key, host_key }
    }

    pub async fn machine(&self) -> Machine {
        self.machine_at(self.target()).await
    }

    pub async fn machine_at(&self, target: Target) -> Machine {
        Machine::connect(target, Patience::seconds(30), &|_| ()).await.unwrap()
    }

    /// Under an address that does not count as loopback, so that it is treated as a machine on a network.
    pub async fn remote(&self) -> Machine {
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        let address = SocketAddr::from((mapped, self.address.port()));
        self.machine_at(Target { address, ..self.target() }).await
    }

    /// A path below the test's directory.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // The first process of its pid namespace: all others end with it.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn launch(
    dir: &Path,
    user: &KeyPair,
    host: &KeyPair,
    config: &str,
    commands: &str,
) -> Option<(SocketAddr, Child)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let write = |name: &str, mode: u32, content: &str| {
        fs::write(dir.join(name), content).unwrap();
        fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).unwrap();
    };
    write("host_key", 0o600, host.private_openssh());
    write("authorized_keys", 0o644, &format!("{}\n", user.public_openssh()));
    let at = dir.display();
    let sshd_config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/authorized_keys\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n\
         PrintMotd no\nPrintLastLog no\nMaxStartups 100\nSubsystem sftp /usr/lib/openssh/sftp-server\n{config}\n"
    );
    write("sshd_config", 0o644, &sshd_config);
    let shell = "/bin/sh";
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    write(
        "passwd",
        0o644,
        &format!(
            "{passwd}{ADMIN}:x:64801:64801::/tmp:{shell}\n{GUEST}:x:{GUEST_UID}:64803::/var/tmp:{shell}\n"
        ),
    );
    let group = fs::read_to_string("/etc/group").unwrap();
    write(
        "group",
        0o644,
        &format!("{group}{ADMIN}:x:64801:\nkiln-guests:x:64803:\nkiln-more:x:64804:{GUEST}\n"),
    );
    let shadow = fs::read_to_string("/etc/shadow").unwrap();
    write("shadow", 0o640, &format!("{shadow}{ADMIN}:*:19000::::::\n{GUEST}:*:19000::::::\n"));
    write(
        "sudoers",
        0o440,
        &format!("Defaults use_pty\nroot ALL=(ALL) ALL\n{ADMIN} ALL=(ALL) NOPASSWD: ALL\n"),
    );
    fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    let script = format!(
        "set -e; dir={at}\n\
         for at in /dev/shm /run /var/tmp; do mount -t tmpfs tmpfs $at; done; mkdir -m 755 /run/sshd\n\
         for file in passwd group shadow sudoers; do mount --bind $dir/$file /etc/$file; done\n\
         {commands}\n\
         exec {SSHD} -D -e -f $dir/sshd_config"
    );
    let mut daemon = Command::new("unshare");
    daemon
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script])
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let mut daemon = daemon.spawn().unwrap();
    let mut log = BufReader::new(daemon.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("Server listening") {
        if log.read_line(&mut said).unwrap() == 0 {
            break;
        }
    }
    if said.contains("Server listening") {
        // Its log is not read any more, but must not fill up.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        return Some((SocketAddr::from((Ipv4Addr::LOCALHOST, port)), daemon));
    }
    daemon.wait().unwrap();
    assert!(said.contains("in use"), "sshd does not start: {said}");
    None
}
