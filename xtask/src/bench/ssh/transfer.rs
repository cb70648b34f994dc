//! Large and small files on their way to a machine, none of which is there yet.

use super::disk::Journalled;
use super::kiln;
use super::server::Server;
use crate::bench::measure;
use crate::bench::options::Options;
use crate::bench::place::Place;
use crate::bench::table::{Row, Target};
use crate::bench::{checkout::Checkout, machine};
use crate::say;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE_SIZE: usize = 2048;
const FILES_PER_DIRECTORY: usize = 100;

/// Something that copies a file or a directory into a directory of the machine.
type Copy<'a> = Box<dyn Fn(&Path, &Path) -> Command + 'a>;

pub(super) fn run(
    options: &Options,
    place: &Place,
    checkout: &Checkout,
    server: &Server,
    disk: &Journalled,
) -> Result<Vec<Row>> {
    let (mib, files) = if options.quick { (64, 1_000) } else { (1024, 10_000) };
    // The file, a copy by each, and what is being removed.
    machine::require_space(place.path(), (mib << 20) * 5 + (2 << 30))?;
    let sources = place.dir("transfer")?;
    let (large, small) = (sources.join("large"), sources.join("small"));
    write_large(&large, mib)?;
    write_small(&small, files)?;
    let tools: [(&str, Copy<'_>); 3] = [
        ("kiln", Box::new(|from, to| kiln::copy(checkout, server, from, to))),
        ("scp", Box::new(|from, to| scp(server, from, to))),
        ("rsync", Box::new(|from, to| rsync(server, from, to))),
    ];
    let here = place.dir("transferred")?;
    let mut rows =
        compare(options, &here, &format!("a file of {mib} MiB over ssh"), &large, &tools)?;
    judge(&mut rows);
    let case = format!("{files} files of {FILE_SIZE} bytes over ssh");
    let mut journalled =
        compare(options, disk.path(), &format!("{case}, ext4 with a journal"), &small, &tools)?;
    judge(&mut journalled);
    rows.extend(journalled);
    rows.extend(compare(options, &here, &format!("{case}, this machine's disk"), &small, &tools)?);
    Ok(rows)
}

/// What is asked of Kiln, the first row.
fn judge(rows: &mut [Row]) {
    if let [kiln, others @ ..] = rows
        && let Some(fastest) = others.iter().map(Row::median).min()
    {
        let is = fastest.as_secs_f64() / kiln.median().as_secs_f64();
        let text = format!("no slower than the faster of scp and rsync (is {is:.2} times as fast)");
        kiln.targets.push(Target { text, met: is >= 1.0 });
    }
}

fn compare(
    options: &Options,
    above: &Path,
    case: &str,
    source: &Path,
    tools: &[(&str, Copy<'_>)],
) -> Result<Vec<Row>> {
    say::line(&format!("bench: {case}"));
    let load = machine::load();
    let mut rows: Vec<Row> = tools.iter().map(|(name, _)| Row::new(case, name, load)).collect();
    // Once unmeasured.
    for round in 0..=options.runs {
        for ((name, copy), row) in tools.iter().zip(&mut rows) {
            let dest = above.join(name);
            std::fs::create_dir(&dest)?;
            // Nobody writes back what another has written.
            measure::run(&mut Command::new("sync"))?;
            let finished = measure::run(&mut copy(source, &dest))?;
            if round > 0 {
                row.samples.push(finished.sample);
            }
            if round == options.runs {
                let copied = dest.join(source.file_name().context("a source has a name")?);
                let mut diff = Command::new("diff");
                measure::run(diff.arg("--recursive").arg("--brief").arg(source).arg(copied))
                    .with_context(|| format!("{name} did not copy everything"))?;
            }
            std::fs::remove_dir_all(&dest)?;
        }
    }
    Ok(rows)
}

fn scp(server: &Server, from: &Path, to: &Path) -> Command {
    let mut command = Command::new("scp");
    command.args(["-q", "-r"]).args(server.options()).arg(from);
    command.arg(format!("127.0.0.1:{}/", to.display()));
    command
}

fn rsync(server: &Server, from: &Path, to: &Path) -> Command {
    let mut command = Command::new("rsync");
    command.args(["--archive", "--rsh", &format!("ssh {}", server.options().join(" "))]).arg(from);
    command.arg(format!("127.0.0.1:{}/", to.display()));
    command
}

/// Of bytes that nobody compresses.
fn write_large(path: &Path, mib: u64) -> Result<()> {
    let mut noise = File::open("/dev/urandom")?.take(mib << 20);
    std::io::copy(&mut noise, &mut File::create(path)?).context("cannot write a large file")?;
    Ok(())
}

fn write_small(dir: &Path, files: usize) -> Result<()> {
    let mut noise = File::open("/dev/urandom")?;
    let mut content = vec![0; FILE_SIZE];
    for number in 0..files {
        let below: PathBuf = dir.join(format!("{:03}", number / FILES_PER_DIRECTORY));
        if number % FILES_PER_DIRECTORY == 0 {
            std::fs::create_dir_all(&below)?;
        }
        noise.read_exact(&mut content)?;
        std::fs::write(below.join(number.to_string()), &content)?;
    }
    Ok(())
}
