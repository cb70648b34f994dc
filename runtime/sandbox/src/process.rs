use crate::accounts::Identity;
use crate::container::Container;
use crate::fault::Fault;
use crate::output::Lines;
use crate::runtime::Kind;
use kiln::Limits;
use kiln_engine::Error;
use kiln_engine::driver::Output;
use rustix::process::{Pid, Signal, getpgid, kill_process_group};
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// How long a step may take that says nothing about it.
const DEFAULT_TIME: Duration = Duration::from_secs(3600);

/// More standard output than this is refused where it is wanted as a whole.
const MOST_CAPTURED: usize = 16 << 20;

/// A command to run in a container.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: String,
    pub(crate) identity: Identity,
    /// The capabilities of its container.
    pub(crate) capabilities: Value,
}

impl Process {
    fn json(&self, terminal: bool) -> Value {
        let env: Vec<String> = self.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let Identity { uid, gid, groups, .. } = &self.identity;
        json!({
            "terminal": terminal,
            "user": {"uid": uid, "gid": gid, "additionalGids": groups, "umask": 0o022},
            "cwd": self.cwd, "env": env, "args": self.argv,
            "capabilities": self.capabilities, "noNewPrivileges": false,
        })
    }

    /// Runs it to its end; then nothing that it started is left in the container.
    ///
    /// # Errors
    /// When it fails, or runs out of time or memory, with the last lines of its output.
    pub(crate) async fn run(
        &self,
        container: &Container,
        limits: Limits,
        output: Output<'_>,
    ) -> Result<(), Error> {
        self.supervise(container, limits, output, None).await
    }

    /// Runs it likewise, and returns its standard output. What it prints as errors goes to `output`.
    pub(crate) async fn capture(
        &self,
        container: &Container,
        limits: Limits,
        output: Output<'_>,
    ) -> Result<Vec<u8>, Error> {
        let mut captured = Vec::new();
        self.supervise(container, limits, output, Some(&mut captured)).await?;
        Ok(captured)
    }

    /// Runs it with the user's terminal and waits for its end, whatever it is. Standard input may be
    /// something else: the host reads a Document there.
    pub(crate) async fn interact(&self, container: &Container) -> Result<(), Error> {
        let tty =
            std::fs::File::options().read(true).write(true).open("/dev/tty").map_err(|error| {
                Error::environment("there is no terminal to open a shell on")
                    .help("use `--on-error keep` where nobody is watching")
                    .caused_by(error)
            })?;
        let again = || tty.try_clone().failing("cannot open the terminal");
        let (mut command, _) = self.command(container, true)?;
        command.stdin(again()?).stdout(again()?).stderr(again()?);
        let status =
            command.kill_on_drop(true).status().await.failing("cannot run the OCI runtime");
        container.kill_strays();
        status.map(|_whatever_the_last_command_said| ())
    }

    /// Starts it with its output going to a file, and leaves it running as long as the value lives.
    pub(crate) fn start(
        &self,
        container: &Container,
        log: &std::fs::File,
    ) -> Result<tokio::process::Child, Error> {
        let (mut command, _) = self.command(container, false)?;
        command.stdout(log.try_clone().failing("cannot open a log")?);
        command.stderr(log.try_clone().failing("cannot open a log")?);
        command.process_group(0).kill_on_drop(true).spawn().failing("cannot run the OCI runtime")
    }

    fn command(
        &self,
        container: &Container,
        terminal: bool,
    ) -> Result<(tokio::process::Command, PathBuf), Error> {
        let run = container.run();
        let file = container.bundle().join(run.name("process-"));
        std::fs::write(&file, self.json(terminal).to_string()).doing("write", &file)?;
        // One of its own: what was started before in the same container may still be about to write.
        let pid_file = file.with_extension("pid");
        let mut command = run.runtime().command(&run.state(), &["exec", "--process"]);
        command.arg(&file).arg("--pid-file").arg(&pid_file).arg(container.id());
        Ok((command.into(), pid_file))
    }

    async fn supervise(
        &self,
        container: &Container,
        limits: Limits,
        output: Output<'_>,
        mut captured: Option<&mut Vec<u8>>,
    ) -> Result<(), Error> {
        let cgroup = container.cgroup();
        cgroup.limit_memory(limits.memory)?;
        let killed_before = cgroup.oom_kills();
        let time = limits.time_ms.map_or(DEFAULT_TIME, Duration::from_millis);

        let (mut reader, writer) = pipe()?;
        let (mut command, pid_file) = self.command(container, false)?;
        command.process_group(0).kill_on_drop(true);
        let mut stdout = None;
        if captured.is_some() {
            let (reader, writer) = pipe()?;
            command.stdout(writer);
            stdout = Some(reader);
        } else {
            command.stdout(writer.try_clone().failing("cannot make a pipe")?);
        }
        command.stderr(writer);
        let strays = Strays { container, pid_file: &pid_file };
        let mut child = command.spawn().failing("cannot run the OCI runtime")?;
        // The parent's ends of the pipes: with them open, no end would be seen.
        drop(command);

        let mut lines = Lines::new(output);
        let mut buffer = vec![0; 64 << 10];
        let mut second = vec![0; 64 << 10];
        let deadline = tokio::time::sleep(time);
        // Should the runtime not notice that its command is dead.
        let last_resort = tokio::time::sleep(time.saturating_add(Duration::from_secs(10)));
        let ended = ended_in(container, &pid_file);
        tokio::pin!(deadline, last_resort, ended);
        let (mut errors_open, mut out_of_time) = (true, false);
        let (mut watching, mut given_up) = (true, false);
        let status = loop {
            tokio::select! {
                read = reader.read(&mut buffer), if errors_open => match read {
                    Ok(count) if count > 0 => lines.push(&buffer[..count]),
                    _ => errors_open = false,
                },
                read = read_some(&mut stdout, &mut second) => match read {
                    Some(count) => keep(&mut captured, &second[..count])?,
                    None => stdout = None,
                },
                status = child.wait() => break status.failing("cannot run the OCI runtime")?,
                () = &mut deadline, if !out_of_time => {
                    out_of_time = true;
                    strays.kill();
                }
                () = &mut last_resort, if !given_up => {
                    given_up = true;
                    child.start_kill().failing("cannot stop the OCI runtime")?;
                }
                () = &mut ended, if watching => {
                    watching = false;
                    strays.kill();
                }
            }
        };
        strays.kill();
        // Every writer is gone now: this ends at once, whatever was left in the background.
        let rest = async {
            while errors_open {
                match reader.read(&mut buffer).await {
                    Ok(count) if count > 0 => lines.push(&buffer[..count]),
                    _ => errors_open = false,
                }
            }
            while let Some(count) = read_some_or_end(&mut stdout, &mut second).await {
                keep(&mut captured, &second[..count])?;
            }
            Ok::<(), Error>(())
        };
        if let Ok(kept) = tokio::time::timeout(Duration::from_secs(5), rest).await {
            kept?;
        }
        let last = lines.finish();
        let killed = cgroup.oom_kills() > killed_before;
        let unbounded = cgroup.limit_memory(None);
        let failure = match (status.code(), out_of_time, killed) {
            (_, true, _) => Error::input(format!("ran out of time after {}", in_words(time)))
                .help("give the step more with `timeout`"),
            (Some(0), ..) => return unbounded,
            (_, _, true) => match limits.memory {
                Some(bytes) => Error::input(format!("ran out of memory (limit {})", size(bytes)))
                    .help("give the step more with `memory`"),
                None => Error::environment("ran out of memory: this machine has no more"),
            },
            // The runtime reports a signal as a shell does.
            (Some(code), ..) if (129..=192).contains(&code) => {
                Error::input(format!("command was killed by signal {}", code - 128))
            }
            (Some(code), ..) => Error::input(format!("command exited with status {code}")),
            (None, ..) => Error::environment("the OCI runtime was killed"),
        };
        Err(failure.output(last))
    }
}

/// Kills what a step has started when the step ends, however it ends: also when nobody waits for it
/// any more.
struct Strays<'a> {
    container: &'a Container,
    /// Holds the number of the command's process, once it is there.
    pid_file: &'a Path,
}

impl Strays<'_> {
    fn kill(&self) {
        if !self.container.boots() {
            self.container.kill_strays();
            return;
        }
        // Services run beside it: only the command itself, which is in a group of its own.
        let pid = std::fs::read_to_string(self.pid_file).unwrap_or_default();
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        if let Some(group) = pid.and_then(|pid| getpgid(Some(pid)).ok())
            && Ok(group) != getpgid(None)
        {
            let _ended_already = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Strays<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

fn pipe() -> Result<(Receiver, OwnedFd), Error> {
    let (reader, writer) = std::io::pipe().failing("cannot make a pipe")?;
    let reader = Receiver::from_owned_fd(reader.into()).failing("cannot make a pipe")?;
    Ok((reader, writer.into()))
}

/// Never ready where there is nothing to read from.
async fn read_some(from: &mut Option<Receiver>, buffer: &mut [u8]) -> Option<usize> {
    match from {
        Some(_) => read_some_or_end(from, buffer).await,
        None => std::future::pending().await,
    }
}

async fn read_some_or_end(from: &mut Option<Receiver>, buffer: &mut [u8]) -> Option<usize> {
    from.as_mut()?.read(buffer).await.ok().filter(|count| *count > 0)
}

fn keep(captured: &mut Option<&mut Vec<u8>>, bytes: &[u8]) -> Result<(), Error> {
    let Some(captured) = captured else { return Ok(()) };
    if captured.len() + bytes.len() > MOST_CAPTURED {
        return Err(Error::input(format!("printed more than {}", size(MOST_CAPTURED as u64))));
    }
    captured.extend_from_slice(bytes);
    Ok(())
}

/// Ends when the command in the container has ended. `runc exec` itself ends only when everything that
/// holds its output open has; `crun exec` does not wait for that, so there is nothing to watch.
async fn ended_in(container: &Container, pid_file: &Path) {
    if container.run().runtime().kind() == Kind::Crun {
        std::future::pending::<()>().await;
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        let Ok(pid) = std::fs::read_to_string(pid_file) else { continue };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        let alive =
            stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|s| !s.starts_with(" Z")));
        if !alive && !pid.trim().is_empty() {
            return;
        }
    }
}

/// `10m`, as a recipe writes it.
pub(crate) fn in_words(time: Duration) -> String {
    let millis = time.as_millis();
    [(3_600_000, "h"), (60_000, "m"), (1000, "s")]
        .into_iter()
        .find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit))
        .map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

/// `64 MiB`.
fn size(bytes: u64) -> String {
    [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .into_iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit))
        .map_or_else(|| format!("{bytes} B"), |(unit, name)| format!("{} {name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_shown_as_a_recipe_writes_them() {
        assert_eq!(in_words(Duration::from_secs(600)), "10m");
        assert_eq!(in_words(Duration::from_millis(1500)), "1500ms");
        assert_eq!(size(64 << 20), "64 MiB");
        assert_eq!(size(1000), "1000 B");
    }
}
