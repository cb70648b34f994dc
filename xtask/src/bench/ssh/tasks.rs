//! Twenty tasks on a machine: ten files of 1 KB with modes, and a line of shell after each.

use super::Tool;
use crate::bench::machine;
use crate::bench::options::Options;
use crate::bench::table::{Row, Target};
use crate::say;
use anyhow::{Context, Result, ensure};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How many files; as many lines of shell.
pub(super) const FILES: usize = 10;
pub(super) const MODE: u32 = 0o640;
const SIZE: usize = 1024;
const CASE: &str = "twenty tasks over ssh";

/// Kiln, to be this many times faster than each of the others.
const FACTORS: [(&str, f64); 2] = [("Ansible, pipelining", 50.0), ("pyinfra", 15.0)];

/// The line of shell after a file: what it makes shows that it ran, and on which file.
pub(super) fn line(dest: &Path, file: usize) -> String {
    let dest = dest.display();
    format!("cat {dest}/{file} > {dest}/line-{file}")
}

/// All tools in turn, `tools[0]` being Kiln. `sources` is where each finds the files.
pub(super) fn run(
    options: &Options,
    sources: &Path,
    tools: &mut [Box<dyn Tool + '_>],
) -> Result<Vec<Row>> {
    say::line("bench: twenty tasks over ssh");
    let load = machine::load();
    let mut rows: Vec<Row> = tools.iter().map(|tool| Row::new(CASE, tool.name(), load)).collect();
    // Once unmeasured.
    for round in 0..=options.runs {
        for (tool, row) in tools.iter_mut().zip(&mut rows) {
            let contents = contents(tool.name(), round);
            for (file, content) in contents.iter().enumerate() {
                std::fs::write(sources.join(file.to_string()), content)?;
            }
            let finished = tool.run()?;
            verify(tool.dest(), &contents)
                .with_context(|| format!("{} did not do it:\n{}", tool.name(), finished.stdout))?;
            if round > 0 {
                row.samples.push(finished.sample);
            }
        }
    }
    let [kiln, others @ ..] = &mut rows[..] else { return Ok(rows) };
    for (name, factor) in FACTORS {
        let other = others.iter().find(|row| row.who == name);
        let other = other.with_context(|| format!("{name} was not measured"))?;
        let is = other.median().as_secs_f64() / kiln.median().as_secs_f64();
        let text = format!("{factor} times faster than {name} (is {is:.1})");
        kiln.targets.push(Target { text, met: is >= factor });
    }
    Ok(rows)
}

/// Files that were never there before.
fn contents(tool: &str, round: usize) -> Vec<String> {
    (0..FILES)
        .map(|file| format!("{tool}, round {round}, file {file}\n{}", "x".repeat(SIZE)))
        .map(|mut text| {
            text.truncate(SIZE);
            text
        })
        .collect()
}

fn verify(dest: &Path, contents: &[String]) -> Result<()> {
    for (file, content) in contents.iter().enumerate() {
        for name in [file.to_string(), format!("line-{file}")] {
            let path = dest.join(&name);
            let is = std::fs::read_to_string(&path).with_context(|| format!("no `{name}`"))?;
            ensure!(is == *content, "`{name}` is not of this round");
        }
        let mode = dest.join(file.to_string()).metadata()?.permissions().mode() & 0o7777;
        ensure!(mode == MODE, "`{file}` has the mode {mode:o}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(contents: &[String]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (file, content) in contents.iter().enumerate() {
            let path = dir.path().join(file.to_string());
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(MODE)).unwrap();
            std::fs::write(dir.path().join(format!("line-{file}")), content).unwrap();
        }
        dir
    }

    #[test]
    fn files_are_of_a_kilobyte_and_differ_by_tool_and_round() {
        let one = contents("kiln", 1);
        assert!(one.len() == FILES && one.iter().all(|text| text.len() == SIZE));
        assert!(
            one[0] != one[1] && one[0] != contents("kiln", 2)[0] && one[0] != contents("x", 1)[0]
        );
    }

    #[test]
    fn only_all_files_and_lines_of_this_round_count() {
        let contents = contents("kiln", 1);
        let dir = done(&contents);
        verify(dir.path(), &contents).unwrap();
        for damage in ["3", "line-7"] {
            let dir = done(&contents);
            std::fs::write(dir.path().join(damage), "old").unwrap();
            assert!(verify(dir.path(), &contents).is_err(), "{damage}");
        }
        std::fs::set_permissions(dir.path().join("5"), std::fs::Permissions::from_mode(0o644))
            .unwrap();
        assert!(verify(dir.path(), &contents).is_err());
    }
}
