//! How long hashing an input takes: `hash_inputs PATH [RUNS]` prints one JSON object.
//!
//! `cold_ms` are runs without a stat cache, `warm_ms` with the one that the run before left behind; each from the
//! path to the digest. The page cache is as it is: the first cold run may read from the disk.

use kiln_engine::inputs::{EntryKind, Input, Inputs};
use serde_json::json;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("usage: hash_inputs PATH [RUNS]")?);
    let path = path.canonicalize()?;
    let runs: usize = match arguments.next() {
        Some(runs) => runs.to_string_lossy().parse()?,
        None => 5,
    };
    let (root, name) = path.parent().zip(path.file_name()).ok_or("`/` is no input")?;
    let name = name.to_str().ok_or("the name is not UTF-8")?;

    let cache = tempfile::tempdir()?;
    let inputs = Inputs::new(cache.path().join("inputs"));
    let timed = || -> Result<(Input, f64), Box<dyn Error>> {
        let began = Instant::now();
        let input = inputs.read(root, name)?;
        let milliseconds = began.elapsed().as_secs_f64() * 1e3;
        Ok((input, milliseconds))
    };
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        if cache.path().join("inputs").exists() {
            fs::remove_dir_all(cache.path().join("inputs"))?;
        }
        cold.push(timed()?.1);
    }
    for _ in 0..runs {
        warm.push(timed()?.1);
    }
    let input = timed()?.0;
    let (entries, bytes) = size(&input);
    let report = json!({
        "path": path,
        "digest": input.digest(),
        "entries": entries,
        "bytes": bytes,
        "threads": std::thread::available_parallelism()?,
        "cold_ms": cold,
        "warm_ms": warm,
        "peak_rss_kib": peak_rss_kib()?,
    });
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

fn size(input: &Input) -> (usize, u64) {
    match input {
        Input::File { size, .. } => (1, *size),
        Input::Tree { manifest, .. } => {
            let sizes = manifest.entries.iter().map(|entry| match entry.kind {
                EntryKind::File { size, .. } => size,
                EntryKind::Directory | EntryKind::Link { .. } => 0,
            });
            (manifest.entries.len(), sizes.sum())
        }
    }
}

/// The most memory that this process has had at once: KiB.
fn peak_rss_kib() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no `VmHWM`")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
