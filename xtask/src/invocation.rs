use std::ffi::{OsStr, OsString};

/// Options of the host that take a value of their own.
const TAKE_A_VALUE: [&str; 17] = [
    "--store",
    "--jobs",
    "-j",
    "--format",
    "--lock-file",
    "--builder",
    "--on-error",
    "--as",
    "--output",
    "-o",
    "--tag",
    "--state",
    "--lock-timeout",
    "--lease-time",
    "--out",
    "--to",
    "--older-than",
];

/// The variable that stands for `--builder`.
const BUILDER: &str = "KILN_BUILDER";

/// The arguments of `cargo xtask`, looked at no further than needed to know what to prepare.
pub(crate) struct Invocation {
    arguments: Vec<OsString>,
}

/// What an invocation asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// Measure, beside others. It has its own options.
    Bench,
    /// What CI runs. It has its own options.
    Ci,
    /// An EC2 on this machine. It has its own options.
    Lab,
    /// The user's own deployments, in a lab. It has its own options.
    Rehearse,
    /// The host's help or version: no Document is needed.
    Help,
    /// Anything else is the host's.
    Host {
        /// Its first word that is no option.
        command: Option<&'a str>,
    },
}

impl Invocation {
    /// `help` alone is `--help`: who types it looks for a word that every program knows.
    pub(crate) fn new(mut arguments: Vec<OsString>) -> Self {
        if let [word] = &mut arguments[..]
            && *word == "help"
        {
            *word = "--help".into();
        }
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
            Some(command) if command == "lab" => Kind::Lab,
            Some(command) if command == "rehearse" => Kind::Rehearse,
            Some(command) if command == "ci" => Kind::Ci,
            Some(_) if asks(&["--help", "-h", "--version", "-V"]) => Kind::Help,
            Some(command) => Kind::Host { command: command.to_str() },
        }
    }

    /// Whether nothing is asked before software is installed.
    pub(crate) fn yes(&self) -> bool {
        self.options().any(|option| option == "--yes" || option == "-y")
    }

    /// The builder that is named for all images, here or by the environment.
    pub(crate) fn builder(&self) -> Option<String> {
        let of_environment = || std::env::var(BUILDER).ok().filter(|value| !value.is_empty());
        self.value("--builder").or_else(of_environment)
    }

    /// Whether the store is named here.
    pub(crate) fn names_store(&self) -> bool {
        self.value("--store").is_some()
    }

    /// The last value of an option, as `--option value` or `--option=value`.
    fn value(&self, option: &str) -> Option<String> {
        let mut found = None;
        let mut options = self.options();
        while let Some(argument) = options.next() {
            if argument == option {
                found = options.next().map(str::to_owned).or(found);
            } else if let Some(value) = argument.strip_prefix(option) {
                found = value.strip_prefix('=').map(str::to_owned).or(found);
            }
        }
        found
    }

    /// The images that a command of the host is about; none: all of them. Of `image/layer`, the image.
    pub(crate) fn images(&self) -> Vec<&str> {
        let words = self.words().skip(1).filter_map(OsStr::to_str);
        words.map(|word| word.split_once('/').map_or(word, |(image, _)| image)).collect()
    }

    fn command(&self) -> Option<&OsStr> {
        self.words().next()
    }

    /// What is neither an option nor the value of one.
    fn words(&self) -> impl Iterator<Item = &OsStr> {
        let mut arguments = self.arguments.iter();
        std::iter::from_fn(move || {
            loop {
                let argument = arguments.next()?;
                if TAKE_A_VALUE.iter().any(|option| argument == option) {
                    arguments.next();
                } else if !argument.as_encoded_bytes().starts_with(b"-") {
                    return Some(argument.as_os_str());
                }
            }
        })
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
    fn the_word_help_alone_asks_the_host_for_help() {
        assert_eq!(of("help").kind(), Kind::Help);
        assert_eq!(of("help").arguments(), ["--help"]);
        assert_eq!(of("bake help").arguments(), ["bake", "help"]);
    }

    #[test]
    fn what_is_not_the_host_s_tells_its_own_usage() {
        for help in ["--help", "-h"] {
            let kind = |command: &str| format!("{:?}", of(&format!("{command} {help}")).kind());
            assert_eq!(kind("ci"), "Ci");
            assert_eq!(kind("bench"), "Bench");
            assert_eq!(kind("lab"), "Lab");
            assert_eq!(kind("rehearse"), "Rehearse");
        }
        assert_eq!(of("--help ci").kind(), Kind::Ci);
    }

    #[test]
    fn a_builder_is_the_value_of_its_option() {
        for words in ["bake --builder ec2", "--builder=ec2 bake", "--builder x bake --builder ec2"]
        {
            assert_eq!(of(words).builder().as_deref(), Some("ec2"), "{words}");
        }
        assert_eq!(of("--builder ec2 bake").kind(), Kind::Host { command: Some("bake") });
        assert_eq!(of("bake -- --builder ec2").value("--builder"), None);
        assert_eq!(of("bake --builders=ec2").value("--builder"), None);
    }

    #[test]
    fn images_are_the_words_after_the_command() {
        let words = "--builder ec2 bake web --on-error keep api -j 2 --format=json";
        assert_eq!(of(words).images(), ["web", "api"]);
        assert_eq!(of("explain web/site").images(), ["web"]);
        assert!(of("bake --store /x").images().is_empty());
        assert!(of("gc --older-than 7d").images().is_empty());
    }

    #[test]
    fn a_plan_file_or_a_number_is_no_name() {
        let words = "plan production --out next.plan --state s3://bucket/x";
        assert_eq!(of(words).images(), ["production"]);
        assert_eq!(
            of("rollback production --to 3 --lock-timeout 9 --lease-time 8").images(),
            ["production"]
        );
    }

    #[test]
    fn a_store_is_named_by_its_option_alone() {
        assert!(of("--store /x bake").names_store() && of("bake --store=/x").names_store());
        assert!(!of("bake store").names_store());
    }

    #[test]
    fn consent_is_an_option_and_nothing_else() {
        assert!(of("bake -y").yes() && of("--yes ci").yes());
        assert!(!of("bake yes -- -y").yes());
    }
}
