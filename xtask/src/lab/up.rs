//! A server started detached.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Python, as what it starts: only so are signals awaited, not polled for.
const PROGRAM: &str = include_str!("up.py");

/// Makes `python` start `server` in a session of its own, wait until it has written a line, and become `then`.
/// What the server says goes to `log`, and to standard error until it is ready. Signals before that end it;
/// the exit code is then 130, and 1 when it ends by itself.
pub(super) fn start(mut python: Command, log: &Path, server: &Command, then: &Command) -> Command {
    python.args(["-c", PROGRAM]).arg(log).args(words(server)).arg("--").args(words(then));
    python
}

fn words(command: &Command) -> impl Iterator<Item = &OsStr> {
    std::iter::once(command.get_program()).chain(command.get_args())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Output, Stdio};

    /// A server that is a shell's script. It says its process on standard error.
    fn up(log: &Path, script: &str) -> Command {
        let mut server = Command::new("sh");
        server.arg("-c").arg(format!("echo $$ >&2; {script}"));
        let mut then = Command::new("sh");
        then.args(["-c", "echo it is up"]);
        start(Command::new("/usr/bin/python3"), log, &server, &then)
    }

    fn log() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/lab.log");
        (dir, path)
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn output(mut command: Command) -> Output {
        command.stdin(Stdio::null()).output().expect("python3 is installed")
    }

    /// A field of proc(5), `stat`, counted from the state, which is the first.
    fn stat(pid: &str, field: usize) -> Option<String> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        text.rsplit_once(") ")?.1.split(' ').nth(field).map(str::to_owned)
    }

    #[test]
    fn a_server_that_is_ready_stays_in_a_session_of_its_own() {
        let (_dir, log) = log();
        let up = output(up(&log, "echo ready; exec 1>&-; exec sleep 1000"));
        assert_eq!(text(&up.stdout), "it is up\n");
        let pid = text(&up.stderr).trim().to_owned();
        assert_eq!(std::fs::read_to_string(&log).unwrap().trim(), pid);
        // The fourth is the session.
        assert_eq!(stat(&pid, 3).as_deref(), Some(pid.as_str()));
        Command::new("kill").arg(&pid).status().unwrap();
    }

    #[test]
    fn a_server_that_ends_before_it_is_ready_is_a_failure_that_names_the_log() {
        let (_dir, log) = log();
        let up = output(up(&log, "echo no room >&2; exit 3"));
        assert_eq!(up.status.code(), Some(1));
        let stderr = text(&up.stderr);
        assert!(stderr.contains("no room\n") && stderr.contains("ended with 3"), "{stderr}");
        assert!(stderr.contains(log.to_str().unwrap()) && log.exists(), "{stderr}");
        assert_eq!(text(&up.stdout), "");
    }

    /// Starts one that never gets ready, and sends a signal once its server runs. The server's process, how
    /// `up` ended, and what it said last.
    fn interrupted(log: &Path, signal: &str) -> (String, Option<i32>, String) {
        let mut command = up(log, "exec sleep 1000");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut up: Child = command.spawn().expect("python3 is installed");
        let mut lines = BufReader::new(up.stderr.take().unwrap()).lines();
        let pid = lines.next().unwrap().unwrap();
        Command::new("kill").args([signal, &up.id().to_string()]).status().unwrap();
        let said: Vec<String> = lines.map(Result::unwrap).collect();
        (pid, up.wait().unwrap().code(), said.join("\n"))
    }

    #[test]
    fn a_signal_before_it_is_ready_brings_it_down_and_waits_until_it_is_gone() {
        for signal in ["-INT", "-TERM", "-HUP"] {
            let (_dir, log) = log();
            let (pid, code, said) = interrupted(&log, signal);
            assert_eq!((code, said.as_str()), (Some(130), "bringing it down again"), "{signal}");
            assert_eq!(stat(&pid, 0), None, "{signal}");
            assert!(!log.exists());
        }
    }
}
