use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// The machine that was measured, and when: a line.
pub(super) fn describe() -> Result<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
    };
    let cpu = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown CPU".into());
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
    let cores = std::thread::available_parallelism()?;
    let kernel = read("/proc/sys/kernel/osrelease");
    let date = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output()?;
    Ok(format!(
        "{}; {cpu}, {cores} cores, {} GiB of memory, Linux {}",
        String::from_utf8_lossy(&date.stdout).trim(),
        kib.div_ceil(1 << 20),
        kernel.trim()
    ))
}

/// How many processes wanted to run during the last minute, on average: proc(5), `loadavg`.
pub(super) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// # Errors
/// When fewer than `bytes` are free where `path` is.
pub(super) fn require_space(path: &Path, bytes: u64) -> Result<()> {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(path).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let free: u64 = text.lines().last().unwrap_or("").trim().parse().context("`df` is unclear")?;
    if free < bytes {
        bail!("`{}` has {free} bytes free, {bytes} are needed", path.display());
    }
    Ok(())
}
