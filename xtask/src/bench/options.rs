use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::PathBuf;

/// Shown for a flag that is none.
pub(super) const USAGE: &str = "\
usage: cargo xtask bench [--runs N] [--quick] [--only GROUP[,GROUP…]] [--fresh-clone] [--json FILE] [--yes]
  --runs N        how often each thing is measured [default: 5]
  --quick         small trees and three runs: to see that it works, not how fast it is
  --only GROUPS   of: seven, planning, hashing, edit, ssh, ec2, deployments; also deploys, the timed part of the last
  --fresh-clone   also a fresh clone to its first baked image, once: minutes
  --json FILE     write the results there too
  --yes           install what is missing without asking";

/// What is measured, and how often.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) runs: usize,
    pub(super) quick: bool,
    pub(super) fresh_clone: bool,
    pub(super) json: Option<PathBuf>,
    only: Option<Vec<String>>,
}

/// What can be left out.
const GROUPS: [&str; 8] =
    ["seven", "planning", "hashing", "edit", "ssh", "ec2", "deployments", "deploys"];

impl Options {
    /// Of the arguments after `bench`.
    ///
    /// # Errors
    /// When one of them means nothing here.
    pub(super) fn parse(arguments: &[OsString]) -> Result<Self> {
        let mut options =
            Self { runs: 0, quick: false, fresh_clone: false, json: None, only: None };
        let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("`{argument}` needs a value"));
            match argument.as_ref() {
                "--runs" => options.runs = value()?.parse().context("`--runs` needs a number")?,
                "--json" => options.json = Some(value()?.as_ref().into()),
                "--only" => {
                    let groups: Vec<String> = value()?.split(',').map(str::to_owned).collect();
                    if let Some(group) = groups.iter().find(|g| !GROUPS.contains(&g.as_str())) {
                        bail!("there is no group `{group}`\n{USAGE}");
                    }
                    options.only = Some(groups);
                }
                "--quick" => options.quick = true,
                "--fresh-clone" => options.fresh_clone = true,
                "bench" | "--yes" | "-y" => {}
                other => bail!("`{other}` means nothing to `bench`\n{USAGE}"),
            }
        }
        if options.runs == 0 {
            options.runs = if options.quick { 3 } else { 5 };
        }
        Ok(options)
    }

    /// Whether a group is measured.
    pub(super) fn wants(&self, group: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|one| one == group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options> {
        Options::parse(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn unless_told_everything_is_measured_five_times() {
        let options = parse("").unwrap();
        assert_eq!(options.runs, 5);
        assert!(GROUPS.iter().all(|group| options.wants(group)) && !options.fresh_clone);
    }

    #[test]
    fn groups_can_be_chosen_and_unknown_ones_are_refused() {
        let options = parse("--only edit,seven --runs 9 --json /x").unwrap();
        assert!(options.wants("edit") && options.wants("seven") && !options.wants("hashing"));
        assert_eq!((options.runs, options.json), (9, Some("/x".into())));
        assert!(parse("--only hashes").is_err());
        assert!(parse("--rums 3").is_err());
    }
}
