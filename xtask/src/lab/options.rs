use anyhow::{Context, Result, bail};
use std::ffi::OsString;

/// Shown when asked for, and for what means nothing.
pub(super) const USAGE: &str = "\
usage: cargo xtask lab up | down | status | env | console INSTANCE
An EC2 on this machine: a control plane that any AWS tool can talk to, and instances that are booted Debians.

  up                    bring a lab up, and print the variables that point AWS tools at it
  down                  stop it, and wait until nothing of it is left
  status                every lab, and its instances
  env                   the variables alone: eval \"$(cargo xtask lab env)\"
  console INSTANCE      a root shell in an instance

  --name NAME           which lab: several can be up side by side [default: default]
  --yes                 install what is missing without asking

of `up`:
  --region REGION       its region [default: eu-west-1]
  --latency-divisor N   wait as EC2 does, N times shorter [default: no waiting]
  --visibility SECONDS  new objects are not seen by reads for up to so long
  --throttle P          this part of all calls is refused with RequestLimitExceeded: 0 to 1
  --seed N              what those two are drawn from
  --no-default-vpc      an account without a default VPC

Labs are kept below KILN_LAB_STATE [/var/lib/kiln-lab], what they share below KILN_LAB_CACHE
[/var/cache/kiln-lab]. Machines need root: as another user, through `sudo`.";

/// What is to be done with which lab.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) name: String,
    pub(super) command: Command,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Up {
        /// Passed on to the lab as they are, looked at no further than their names.
        behaviour: Vec<String>,
    },
    Down,
    Status,
    Env,
    Console {
        instance: String,
    },
}

/// Options of `up` that take a value, and are the lab's own.
const BEHAVIOUR: [&str; 5] =
    ["--region", "--latency-divisor", "--visibility", "--throttle", "--seed"];
const NO_DEFAULT_VPC: &str = "--no-default-vpc";

impl Options {
    /// Of all arguments of `cargo xtask`.
    ///
    /// # Errors
    /// When one of them means nothing here.
    pub(super) fn parse(arguments: &[OsString]) -> Result<Self> {
        let (mut words, mut name, mut behaviour) = (Vec::new(), "default".to_owned(), Vec::new());
        let mut help = false;
        let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
        while let Some(argument) = arguments.next() {
            let (option, given) = match argument.split_once('=') {
                Some((option, value)) if option.starts_with("--") => {
                    (option, Some(value.to_owned()))
                }
                _ => (argument.as_ref(), None),
            };
            let mut value = || {
                given
                    .clone()
                    .or_else(|| Some(arguments.next()?.into_owned()))
                    .with_context(|| format!("`{option}` needs a value"))
            };
            match option {
                "--help" | "-h" => help = true,
                "--yes" | "-y" => {}
                "--name" => name = checked(value()?)?,
                NO_DEFAULT_VPC => behaviour.push(NO_DEFAULT_VPC.to_owned()),
                option if BEHAVIOUR.contains(&option) => {
                    let value = value()?;
                    behaviour.extend([option.to_owned(), value]);
                }
                option if option.starts_with('-') => {
                    bail!("`{option}` means nothing to `lab`\n{USAGE}")
                }
                word => words.push(word.to_owned()),
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let command = match words[..] {
            _ if help => Command::Help,
            ["lab"] => bail!("say what to do with it\n{USAGE}"),
            ["lab", "up"] => Command::Up { behaviour: std::mem::take(&mut behaviour) },
            ["lab", "down"] => Command::Down,
            ["lab", "status"] => Command::Status,
            ["lab", "env"] => Command::Env,
            ["lab", "console", instance] => Command::Console { instance: instance.to_owned() },
            ["lab", "console"] => {
                bail!("`console` needs an instance: `cargo xtask lab status` shows them")
            }
            _ => bail!("`{}` means nothing\n{USAGE}", words.join(" ")),
        };
        if let (false, Some(option)) = (help, behaviour.first()) {
            bail!(
                "`{option}` is an option of `up`: a lab that is up stays as it is\nhelp: bring it down first"
            );
        }
        Ok(Self { name, command })
    }
}

/// A name becomes a directory, and part of what its machines are called.
fn checked(name: String) -> Result<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if name.len() > 20 || !begins || !name.chars().all(fits) {
        bail!(
            "`{name}` is no name of a lab\nhelp: use at most 20 of a-z, 0-9 and `-`, a letter first"
        );
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options> {
        Options::parse(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    fn of(words: &str) -> Options {
        parse(words).expect("valid options")
    }

    #[test]
    fn how_a_lab_behaves_is_passed_on_in_order() {
        let up = of("lab up --name a-2 --latency-divisor 10 --seed=7 --no-default-vpc --yes");
        let behaviour = ["--latency-divisor", "10", "--seed", "7", "--no-default-vpc"];
        let behaviour = behaviour.map(str::to_owned).into();
        assert_eq!(up, Options { name: "a-2".into(), command: Command::Up { behaviour } });
    }

    #[test]
    fn each_command_is_known_and_has_a_lab_of_its_own_unless_told() {
        assert_eq!(of("lab down").command, Command::Down);
        assert_eq!(of("lab status").name, "default");
        assert_eq!(of("lab --name x env"), Options { name: "x".into(), command: Command::Env });
        let instance = "i-0123".to_owned();
        assert_eq!(of("lab console i-0123").command, Command::Console { instance });
        assert_eq!(of("lab up --help").command, Command::Help);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for words in [
            "lab",
            "lab upp",
            "lab up now",
            "lab up --speed 3",
            "lab up --seed",
            "lab console",
            "lab down --seed 3",
            "lab env --no-default-vpc",
            "lab up --name ../x",
            "lab up --name 1x",
            "lab up --name averyverylongnameofalab",
        ] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
