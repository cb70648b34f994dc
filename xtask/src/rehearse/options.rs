use anyhow::{Context, Result, bail};
use std::ffi::OsString;

/// Shown when asked for, and for what means nothing.
pub(super) const USAGE: &str = "\
usage: cargo xtask rehearse [--keep] [--rate N] [--yes] [DEPLOYMENT…]
Deploys your own recipes in a lab: bakes, deploys, edits a copy, deploys again while requests run, rolls back, and
destroys it all. Your files are not touched, and nothing outside this machine is. Ends with 1 if a request failed or was
answered by the wrong version.

  --rate N   requests each second through each load balancer [default: 200]
  --keep     leave lab and copy as they are at the end, and say how to go on
  --yes      install what is missing without asking";

/// What is rehearsed, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Which deployments; none: all.
    pub(super) names: Vec<String>,
    pub(super) rate: u32,
    pub(super) keep: bool,
    pub(super) help: bool,
}

impl Options {
    /// Of all arguments of `cargo xtask`.
    ///
    /// # Errors
    /// When one of them means nothing here.
    pub(super) fn parse(arguments: &[OsString]) -> Result<Self> {
        let mut options = Self { names: Vec::new(), rate: 200, keep: false, help: false };
        let mut words = arguments.iter().map(|argument| argument.to_string_lossy());
        while let Some(word) = words.next() {
            let (option, given) = match word.split_once('=') {
                Some((option, value)) if option.starts_with("--") => {
                    (option, Some(value.to_owned()))
                }
                _ => (word.as_ref(), None),
            };
            match option {
                "--keep" => options.keep = true,
                "--help" | "-h" => options.help = true,
                "--yes" | "-y" => {}
                "--rate" => {
                    let value = given.or_else(|| Some(words.next()?.into_owned()));
                    let rate = value.and_then(|value| value.parse().ok()).filter(|rate| *rate > 0);
                    options.rate = rate.context("`--rate` needs a number of at least 1")?;
                }
                option if option.starts_with('-') => {
                    bail!("`{option}` means nothing to `rehearse`\n{USAGE}")
                }
                name => options.names.push(name.to_owned()),
            }
        }
        // The first word is `rehearse` itself, wherever options stand.
        options.names.remove(0);
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options> {
        Options::parse(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn names_and_options_may_be_mixed() {
        let options = parse("--yes rehearse web --rate 50 --keep api").unwrap();
        assert_eq!(options.names, ["web", "api"]);
        assert!(options.keep && options.rate == 50);
        assert_eq!(parse("rehearse --rate=7").unwrap().rate, 7);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for words in
            ["rehearse --fast", "rehearse --rate", "rehearse --rate 0", "rehearse --rate x"]
        {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
