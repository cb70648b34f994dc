//! The examples as a user bakes them: all built, then all cached, then tested.

use super::tally::Tally;
use crate::say;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Bakes with a lock file of CI's own: an old one may name packages that the archive has dropped.
pub(super) fn run(workspace: &Workspace, store: &Path, tally: &mut Tally) -> Result<()> {
    let bake = |command: &str| xtask(workspace, store, command);
    let first = events(bake("bake")?)?;
    let summary = summary(&first)?;
    let (built, cached) = (number(summary, "built")?, number(summary, "cached")?);
    say::line(&format!("first bake: {built} built, {cached} cached"));
    let nodes = built + cached;
    ensure!(nodes > 0 && number(summary, "failed")? == 0, "nothing was baked: {summary}");

    let second = events(bake("bake")?)?;
    let summary = self::summary(&second)?;
    say::line(&format!("second bake: {summary}"));
    let all_cached = number(summary, "built")? == 0 && number(summary, "cached")? == nodes;
    ensure!(all_cached, "the second bake did not find everything cached");

    let tests = events(bake("test")?)?;
    let results: Vec<&String> = tests.iter().filter(|line| is(line, "test")).collect();
    let failed: Vec<&&String> =
        results.iter().filter(|line| !line.contains(r#""failure":null"#)).collect();
    failed.iter().for_each(|line| say::line(line));
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    tally.failed += count(failed.len());
    tally.passed += count(results.len() - failed.len());
    say::line(&format!("{} tests of images, {} failed", results.len(), failed.len()));
    ensure!(!results.is_empty(), "the examples have no tests");
    ensure!(failed.is_empty(), "images do not pass their tests");
    Ok(())
}

fn xtask(workspace: &Workspace, store: &Path, command: &str) -> Result<Command> {
    std::fs::create_dir_all(store).with_context(|| format!("cannot make `{}`", store.display()))?;
    let mut xtask = Command::new(std::env::current_exe().context("cannot find this program")?);
    xtask.args([command, "--format", "json"]).arg("--store").arg(store);
    xtask.arg("--lock-file").arg(store.join("kiln.lock")).current_dir(workspace.root());
    Ok(xtask)
}

/// Runs a command of the host and returns its events, one JSON object a line. Those that say what is
/// going on are shown.
fn events(mut command: Command) -> Result<Vec<String>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut lines = Vec::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.context("cannot read events")?;
            if ["building", "built", "failed", "warning", "error"]
                .iter()
                .any(|kind| is(&line, kind))
            {
                say::line(&line);
            }
            lines.push(line);
        }
    }
    let status = child.wait()?;
    let tests_failed = lines.iter().any(|line| is(line, "test"));
    ensure!(status.success() || tests_failed, "the command ended with {status}");
    Ok(lines)
}

/// The last event.
fn summary(events: &[String]) -> Result<&str> {
    let last = events.last().context("the command printed no event")?;
    ensure!(is(last, "summary"), "the last event is no summary: {last}");
    Ok(last)
}

fn is(event: &str, kind: &str) -> bool {
    event.starts_with(&format!(r#"{{"event":"{kind}""#))
}

/// A number of a flat JSON object that the host has written.
fn number(event: &str, field: &str) -> Result<u64> {
    let (_, rest) = event
        .split_once(&format!(r#""{field}":"#))
        .with_context(|| format!("no `{field}` in {event}"))?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().with_context(|| format!("`{field}` is no number in {event}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str =
        r#"{"event":"summary","built":0,"cached":12,"failed":0,"deployed":0,"ms":31}"#;

    #[test]
    fn numbers_of_a_summary_are_read() {
        assert!(is(SUMMARY, "summary") && !is(SUMMARY, "sum"));
        assert_eq!(number(SUMMARY, "cached").unwrap(), 12);
        assert_eq!(number(SUMMARY, "ms").unwrap(), 31);
        assert!(number(SUMMARY, "nodes").is_err());
    }

    #[test]
    fn a_run_that_ends_without_summary_is_a_failure() {
        assert!(summary(&[]).is_err());
        assert!(summary(&[SUMMARY.to_owned(), r#"{"event":"error"}"#.to_owned()]).is_err());
        assert_eq!(summary(&[SUMMARY.to_owned()]).unwrap(), SUMMARY);
    }
}
