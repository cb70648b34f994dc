use anyhow::{Result, bail};
use std::ffi::OsString;

/// Shown when asked for, and for what means nothing.
pub(super) const USAGE: &str = "\
usage: cargo xtask ci [--yes]
Everything that CI runs on Kiln itself, one stage after the other, up to the first that fails.

  --yes    install what is missing without asking";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Help,
    Run,
}

/// Of all arguments of `cargo xtask`.
///
/// # Errors
/// When one of them means nothing here.
pub(super) fn parse(arguments: &[OsString]) -> Result<Wanted> {
    let mut wanted = Wanted::Run;
    for argument in arguments {
        match argument.to_string_lossy().as_ref() {
            "--help" | "-h" => wanted = Wanted::Help,
            "ci" | "--yes" | "-y" => {}
            other => bail!("`{other}` means nothing to `ci`\n{USAGE}"),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Wanted> {
        super::parse(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn usage_is_told_instead_of_running() {
        for words in ["ci --help", "-h ci", "ci --yes --help"] {
            assert_eq!(parse(words).unwrap(), Wanted::Help, "{words}");
        }
        assert_eq!(parse("--yes ci").unwrap(), Wanted::Run);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for words in ["ci --version", "ci lab", "ci -- --help"] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
