use std::ffi::{OsStr, OsString};

/// Options of the host that stand before its command and take a value of their own.
const TAKE_A_VALUE: [&str; 5] = ["--store", "--jobs", "-j", "--format", "--lock-file"];

/// The arguments of `cargo xtask`, looked at no further than needed to know what to prepare.
pub(crate) struct Invocation {
    arguments: Vec<OsString>,
}

/// What an invocation asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// Measure, beside others. It has its own options.
    Bench,
    /// What CI runs.
    Ci,
    /// The host's help or version: no Document is needed.
    Help,
    /// Anything else is the host's.
    Host {
        /// Its first word that is no option.
        command: Option<&'a str>,
    },
}

impl Invocation {
    pub(crate) fn new(arguments: Vec<OsString>) -> Self {
        Self { arguments }
    }

    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    pub(crate) fn kind(&self) -> Kind<'_> {
        let asks = |names: &[&str]| self.options().any(|option| names.contains(&option));
        match self.command() {
            None => Kind::Help,
            Some(command) if command == "bench" => Kind::Bench,
            Some(_) if asks(&["--help", "-h", "--version", "-V"]) => Kind::Help,
            Some(command) if command == "ci" => Kind::Ci,
            Some(command) => Kind::Host { command: command.to_str() },
        }
    }

    /// Whether nothing is asked before software is installed.
    pub(crate) fn yes(&self) -> bool {
        self.options().any(|option| option == "--yes" || option == "-y")
    }

    fn command(&self) -> Option<&OsStr> {
        let mut arguments = self.arguments.iter();
        while let Some(argument) = arguments.next() {
            if TAKE_A_VALUE.iter().any(|option| argument == option) {
                arguments.next();
            } else if !argument.as_encoded_bytes().starts_with(b"-") {
                return Some(argument);
            }
        }
        None
    }

    fn options(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().take_while(|argument| *argument != "--").filter_map(|a| a.to_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str) -> Invocation {
        Invocation::new(words.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn the_command_is_found_among_options() {
        for words in ["bake", "--store /x bake web", "-j 2 --locked bake", "--store=/x bake --yes"]
        {
            assert_eq!(of(words).kind(), Kind::Host { command: Some("bake") }, "{words}");
        }
        assert_eq!(of("--store ci").kind(), Kind::Help);
        assert_eq!(of("--yes ci").kind(), Kind::Ci);
    }

    #[test]
    fn help_and_version_need_no_document() {
        for words in ["", "--help", "-V", "bake --help", "--locked"] {
            assert_eq!(of(words).kind(), Kind::Help, "{words}");
        }
        assert_eq!(of("bake -- --help").kind(), Kind::Host { command: Some("bake") });
    }

    #[test]
    fn consent_is_an_option_and_nothing_else() {
        assert!(of("bake -y").yes() && of("--yes ci").yes());
        assert!(!of("bake yes -- -y").yes());
    }
}
