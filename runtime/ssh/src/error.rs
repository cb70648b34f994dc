//! What can go wrong on the way to a machine and on it.

use std::fmt;
use std::time::Duration;

/// What went wrong, in words for the user.
///
/// Lowercase, no full stop, names in backticks. `help_text` says what to do, `output_lines` what a failing
/// command printed last.
#[derive(Debug)]
pub struct Error(Box<Repr>);

#[derive(Debug)]
struct Repr {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    output: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller may decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was asked for cannot be: an address, a path, an account that is not there, or an archive whose
    /// content could not be produced (the cause is in the source chain).
    Input,
    /// The machine or the network is at fault.
    Environment,
    /// The machine did not become usable in time; this is how far it got.
    TimedOut(Reached),
    /// The machine has another host key than the pinned one. Nothing was sent to it.
    HostKey,
    /// An op ended with this status, `128 + n` where signal `n` ended it.
    Failed {
        /// Never 0.
        status: i32,
    },
    /// An op was stopped on the machine, with every process of its group, because its time was up.
    TimeLimit(Duration),
    /// The connection broke and what was under way must not be repeated.
    Cut,
    /// The caller asked to stop.
    Interrupted,
}

/// The last thing that worked on the way to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Nothing answered.
    Nothing,
    /// The machine answered that no one listens on the port.
    Refused,
    /// A connection, but no SSH handshake to its end.
    Handshake,
    /// The pinned host key, but the user's key was not accepted.
    HostKey,
    /// The login, but no command as root.
    Login,
    /// Commands as root; its first boot was not over.
    CloudInit,
}

impl Reached {
    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing answers at this address",
            Self::Refused => "the machine is up, and nothing listens on the port yet",
            Self::Handshake => "something accepts connections, and the SSH handshake does not end",
            Self::HostKey => {
                "sshd answers with the right host key, and does not accept the user's key"
            }
            Self::Login => "the login works, and commands as root do not",
            Self::CloudInit => "commands work, and `cloud-init` has not ended",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Nothing => {
                "check the route to it: subnet, security group, public or private address; and its console"
            }
            Self::Refused => "check on its console that sshd starts, and on which port",
            Self::Handshake => {
                "check what listens there, and whether something in between cuts connections"
            }
            Self::HostKey => "check that its image applies user data, and the name of the user",
            Self::Login => "let the user run `sudo -n` without a password, or log in as `root`",
            Self::CloudInit => "look at `/var/log/cloud-init-output.log`, or allow more time",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Repr { kind, message, help: None, output: Vec::new(), source: None }))
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Environment, message)
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// The time for a machine to become usable is over.
    pub(crate) fn timed_out(to: &dyn fmt::Display, reached: Reached, last: &str) -> Self {
        let mut message = format!("`{to}` did not become usable in time: {}", reached.words());
        if !last.is_empty() {
            message.push_str(&format!(" (last: {last})"));
        }
        Self::new(ErrorKind::TimedOut(reached), message).help(reached.help())
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(crate) fn output(mut self, lines: Vec<String>) -> Self {
        self.0.output = lines;
        self
    }

    pub(crate) fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What a caller may decide by.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do about it.
    #[must_use]
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The last lines that the failing op printed, at most 200.
    #[must_use]
    pub fn output_lines(&self) -> &[String] {
        &self.0.output
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// An op of a batch failed; those after it were not begun.
#[derive(Debug, thiserror::Error)]
#[error("op {index}: {error}")]
pub struct OpFailed {
    /// Its position in the batch.
    pub index: usize,
    /// Why.
    #[source]
    pub error: Error,
}
