//! One run of a program: how long it took, how much memory it had, what it said.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One run, in figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) time: Duration,
    /// The most memory that any one process of the run's tree had at once: KiB. Zero where it is not known.
    pub(super) peak_kib: u64,
    /// The processor time of all of the run's tree. Zero where it is not known.
    pub(super) cpu: Duration,
}

impl Sample {
    /// Of something that no program of ours has taken.
    pub(super) fn of(time: Duration) -> Self {
        Self { time, peak_kib: 0, cpu: Duration::ZERO }
    }
}

/// One run that succeeded.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) sample: Sample,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs a command to its end, from the moment before it is started.
///
/// # Errors
/// When it cannot be started, or fails: with the end of what it said.
pub(super) fn run(command: &mut Command) -> Result<Finished> {
    let shown = format!("{command:?}");
    // Files never fill up, so nobody has to read while the program runs.
    let (mut stdout, mut stderr) = (scratch()?, scratch()?);
    command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot run `{shown}`"))?;
    let (status, peak_kib, cpu) = wait(child.id())?;
    let sample = Sample { time: started.elapsed(), peak_kib, cpu };
    let (stdout, stderr) = (text(&mut stdout)?, text(&mut stderr)?);
    if status != 0 {
        let tail: Vec<&str> = stdout.lines().chain(stderr.lines()).collect();
        let tail = tail.iter().skip(tail.len().saturating_sub(30)).copied().collect::<Vec<_>>();
        bail!("`{shown}` failed (wait status {status}):\n{}", tail.join("\n"));
    }
    Ok(Finished { sample, stdout, stderr })
}

/// The same with a file as its standard input.
pub(super) fn run_with_input(command: &mut Command, input: &str) -> Result<Finished> {
    let mut file = scratch()?;
    std::io::Write::write_all(&mut file, input.as_bytes())?;
    file.rewind()?;
    run(command.stdin(Stdio::from(file)))
}

/// A file without a name.
fn scratch() -> Result<File> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name =
        format!("kiln-bench-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let file = File::options().read(true).write(true).create_new(true).open(&path);
    let file = file.with_context(|| format!("cannot make `{}`", path.display()))?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `struct rusage` of getrusage(2) on Linux, of which only times and `ru_maxrss` are read here.
#[repr(C)]
struct Usage {
    /// Of the program and of the system, in seconds and microseconds.
    times: [[std::ffi::c_long; 2]; 2],
    max_rss_kib: std::ffi::c_long,
    others: [std::ffi::c_long; 13],
}

/// Waits for a child: its wait status, the largest resident set among it and the children it waited for, and the
/// processor time of all of them.
#[expect(unsafe_code, reason = "the standard library gives no usage of resources")]
fn wait(pid: u32) -> Result<(i32, u64, Duration)> {
    unsafe extern "C" {
        fn wait4(pid: i32, status: *mut i32, options: i32, usage: *mut Usage) -> i32;
    }
    let mut usage = Usage { times: [[0; 2]; 2], max_rss_kib: 0, others: [0; 13] };
    let (mut status, wanted) = (0, i32::try_from(pid)?);
    loop {
        // SAFETY: both pointers are to live values of the types that wait4(2) writes.
        if unsafe { wait4(wanted, &raw mut status, 0, &raw mut usage) } == wanted {
            let micros = usage.times.map(|[seconds, micros]| seconds * 1_000_000 + micros);
            let cpu = Duration::from_micros(micros.iter().sum::<i64>().try_into().unwrap_or(0));
            return Ok((status, usage.max_rss_kib.try_into().unwrap_or(0), cpu));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error).context("cannot wait for a program");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_that_of_the_largest_process_below() {
        let small = run(&mut Command::new("true")).unwrap().sample.peak_kib;
        let mut below = Command::new("sh");
        below.args(["-c", "x=$(head -c 50000000 /dev/zero | tr '\\0' x); echo ${#x}; true"]);
        let large = run(&mut below).unwrap();
        assert_eq!(large.stdout.trim(), "50000000");
        assert!(
            large.sample.peak_kib > 48_000 && small < 48_000,
            "{} {small}",
            large.sample.peak_kib
        );
    }

    #[test]
    fn a_failure_is_told_with_what_was_said() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().ends_with("\nwhy"), "{error}");
    }
}
