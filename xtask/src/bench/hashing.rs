//! Inputs hashed, beside `b3sum` on the same files. The page cache is warm.

use super::checkout::Checkout;
use super::measure::{self, Sample};
use super::options::Options;
use super::place::Place;
use super::table::{Row, Target};
use super::{machine, number};
use crate::say;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What part of `b3sum`'s speed must be reached.
const SPEED: f64 = 0.8;
const STAT_CACHE: Duration = Duration::from_millis(300);
const FILE_SIZE: usize = 4096;
const FILES_PER_DIRECTORY: usize = 100;

pub(super) fn run(
    options: &Options,
    place: &Place,
    checkout: &Checkout,
    b3sum: &Path,
) -> Result<Vec<Row>> {
    let example = ["build", "--release", "--package", "kiln-engine", "--example", "hash_inputs"];
    checkout.build(&example)?;
    let (files, gib) = if options.quick { (10_000, 1) } else { (100_000, 10) };
    // Both trees, and room to breathe.
    machine::require_space(place.path(), (gib + 5) << 30)?;
    let mut rows = Vec::new();
    for (name, make) in [
        (format!("{files} files of {FILE_SIZE} bytes"), Tree::Many(files)),
        (format!("one file of {gib} GiB"), Tree::Large(gib)),
    ] {
        say::line(&format!("bench: hashing {name}"));
        let tree = place.dir("tree")?;
        make.write(&tree)?;
        let hash = checkout.program("release/examples/hash_inputs");
        rows.extend(compare(options, &name, &make, &make.input(&tree), &hash, b3sum)?);
        std::fs::remove_dir_all(&tree).context("cannot remove a tree")?;
    }
    Ok(rows)
}

fn compare(
    options: &Options,
    name: &str,
    make: &Tree,
    input: &Path,
    hash: &Path,
    b3sum: &Path,
) -> Result<Vec<Row>> {
    let hashing = format!("hashing {name}");
    let load = machine::load();
    let mut kiln = Row::new(&hashing, "kiln, no stat cache", load);
    let mut cached = Row::new(&format!("{hashing}, again"), "kiln, stat cache holds", load);
    let mut other = Row::new(&hashing, "b3sum", load);
    // The first round warms the page cache.
    for round in 0..=options.runs {
        let finished = measure::run(Command::new(hash).arg(input).arg("1"))?;
        let sums = measure::run(
            Command::new("sh")
                .args(["-c", "find \"$1\" -type f -print0 | xargs -0 \"$2\"", "sh"])
                .args([input, b3sum]),
        )?;
        make.check(&finished.stdout, &sums.stdout)?;
        if round > 0 {
            let sample = |name| -> Result<Sample> {
                let time = Duration::from_secs_f64(number(&finished.stdout, name)? / 1e3);
                Ok(Sample { time, ..finished.sample })
            };
            kiln.samples.push(sample("cold_ms")?);
            cached.samples.push(sample("warm_ms")?);
            other.samples.push(sums.sample);
        }
    }
    let speed = other.median().as_secs_f64() / kiln.median().as_secs_f64();
    let text = format!("≥ {SPEED} of `b3sum`'s speed (is {speed:.2})");
    kiln.targets.push(Target { text, met: speed >= SPEED });
    cached.below("< 0.3 s", STAT_CACHE);
    Ok(vec![kiln, other, cached])
}

enum Tree {
    Many(usize),
    /// GiB.
    Large(u64),
}

impl Tree {
    /// What is hashed.
    fn input(&self, dir: &Path) -> PathBuf {
        match self {
            Self::Many(_) => dir.to_owned(),
            Self::Large(_) => dir.join("large"),
        }
    }

    /// Fails unless both have read all of it, and agree on the digest where both have one.
    fn check(&self, kiln: &str, b3sum: &str) -> Result<()> {
        let (files, bytes) = match self {
            Self::Many(files) => (*files, (*files * FILE_SIZE) as f64),
            Self::Large(gib) => (1, (gib << 30) as f64),
        };
        ensure!(number(kiln, "bytes")? == bytes, "kiln did not hash {bytes} bytes: {kiln}");
        ensure!(b3sum.lines().count() == files, "b3sum did not hash {files} files");
        if let (Self::Large(_), Some((digest, _))) = (self, b3sum.split_once(' ')) {
            ensure!(kiln.contains(digest), "b3sum says {digest}, but kiln: {kiln}");
        }
        Ok(())
    }

    fn write(&self, dir: &Path) -> Result<()> {
        let mut noise = Noise(1);
        match self {
            Self::Many(files) => {
                for number in 0..*files {
                    let below: PathBuf = dir.join(format!("{:04}", number / FILES_PER_DIRECTORY));
                    if number % FILES_PER_DIRECTORY == 0 {
                        std::fs::create_dir(&below)?;
                    }
                    std::fs::write(below.join(number.to_string()), noise.bytes(FILE_SIZE))?;
                }
            }
            Self::Large(gib) => {
                let mut file = File::create(dir.join("large"))?;
                // One part over and over: neither hash looks for repetitions.
                let part = noise.bytes(1 << 24);
                for _ in 0..gib << 6 {
                    file.write_all(&part)?;
                }
                // Writing back must not fall into what is measured.
                file.sync_all()?;
            }
        }
        measure::run(&mut Command::new("sync"))?;
        Ok(())
    }
}

/// Bytes that no file system compresses: Marsaglia's xorshift64.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            bytes.extend(self.0.to_le_bytes());
        }
        bytes
    }
}
