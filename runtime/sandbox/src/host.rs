use crate::cgroup::Cgroup;
use crate::fault::Fault;
use crate::output::Lines;
use crate::runtime::on_path;
use kiln_engine::Error;
use kiln_engine::driver::Output;
use std::ffi::OsString;
use std::path::Path;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// A program of this machine, run in a cgroup so that the next run finds it should this process die.
pub(crate) struct HostCommand {
    pub(crate) program: &'static str,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) env: Vec<(&'static str, OsString)>,
}

impl HostCommand {
    /// Runs it to its end, passing on what it prints line by line.
    ///
    /// # Errors
    /// When it is not installed, or fails: `failure`, with its last lines.
    pub(crate) async fn run(
        self,
        cgroup: &Cgroup,
        failure: &str,
        output: Output<'_>,
    ) -> Result<(), Error> {
        let (reader, writer) = std::io::pipe().failing("cannot make a pipe")?;
        let stdout = writer.try_clone().failing("cannot make a pipe")?;
        let mut command = self.command(cgroup)?;
        command.stdout(stdout).stderr(writer);
        let mut child = command.spawn().failing("cannot run a program")?;
        drop(command);
        let group = Group(cgroup);
        let mut reader = Receiver::from_owned_fd(reader.into()).failing("cannot make a pipe")?;
        let mut lines = Lines::new(output);
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            lines.push(&buffer[..count]);
        }
        let status = child.wait().await.failing("cannot run a program")?;
        drop(group);
        let last = lines.finish();
        if status.success() { Ok(()) } else { Err(Error::environment(failure).output(last)) }
    }

    /// Runs it to its end and returns what it prints; what it prints as errors is in the error.
    pub(crate) async fn capture(self, cgroup: &Cgroup, failure: &str) -> Result<Vec<u8>, Error> {
        let group = Group(cgroup);
        let output = self.command(cgroup)?.output().await.failing("cannot run a program")?;
        drop(group);
        if output.status.success() {
            return Ok(output.stdout);
        }
        let lines = String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect();
        Err(Error::environment(failure).output(lines))
    }

    fn command(&self, cgroup: &Cgroup) -> Result<tokio::process::Command, Error> {
        let program = on_path(self.program).ok_or_else(|| missing(self.program))?;
        let procs = cgroup.make()?;
        let mut command = tokio::process::Command::new("/bin/sh");
        command.arg("-c").arg("echo $$ >\"$1\" && shift && exec \"$@\"").arg("sh").arg(procs);
        command.arg(program).args(&self.arguments).stdin(std::process::Stdio::null());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.env("LC_ALL", "C.UTF-8").process_group(0).kill_on_drop(true);
        Ok(command)
    }
}

/// Ends what a program has left running, also when nobody waits for the program any more.
struct Group<'a>(&'a Cgroup);

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.0.kill_all_but(None);
    }
}

/// Fails when a program of this machine is missing.
pub(crate) fn require(programs: &[&'static str]) -> Result<(), Error> {
    match programs.iter().find(|name| on_path(name).is_none()) {
        Some(name) => Err(missing(name)),
        None => Ok(()),
    }
}

fn missing(program: &str) -> Error {
    let package = match program {
        "mmdebstrap" => "mmdebstrap",
        "unshare" => "util-linux",
        "dpkg" | "dpkg-deb" => "dpkg",
        _ => "apt",
    };
    Error::environment(format!("`{program}` is not installed on this machine"))
        .help(format!("apt-get install {package}"))
}

/// A path as an argument.
pub(crate) fn argument(prefix: &str, path: &Path) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(path);
    text
}
