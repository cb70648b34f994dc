use kiln::Origin;
use std::fmt;

/// What went wrong, in words for the user.
///
/// Lowercase, no full stop, names in backticks. `origin` points at the recipe; `help` says what to do;
/// `output` is what a failing command printed.
#[derive(Debug)]
pub struct Error(Box<Repr>);

#[derive(Debug)]
struct Repr {
    kind: ErrorKind,
    message: String,
    origin: Option<Origin>,
    help: Option<String>,
    output: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The recipe's or its inputs': a step that fails, a file that is not there.
    Input,
    /// The machine's or the network's: a missing program, a full disk.
    Environment,
    /// Something in the store was damaged and has been dropped: a second try builds it again.
    Damaged,
    /// The user asked to stop.
    Interrupted,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Repr {
            kind,
            message,
            origin: None,
            help: None,
            output: Vec::new(),
            source: None,
        }))
    }

    /// The recipe or its inputs are at fault.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// The machine or the network is at fault.
    pub fn environment(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Environment, message)
    }

    /// The user asked to stop.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Where in the recipe, unless an inner call has said so already.
    #[must_use]
    pub fn at(mut self, origin: &Origin) -> Self {
        self.0.origin.get_or_insert_with(|| origin.clone());
        self
    }

    /// What the failing command printed.
    #[must_use]
    pub fn output(mut self, lines: Vec<String>) -> Self {
        self.0.output = lines;
        self
    }

    /// What caused it.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where in the recipe.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }

    /// What to do about it.
    #[must_use]
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// What the failing command printed, line by line.
    #[must_use]
    pub fn output_lines(&self) -> &[String] {
        &self.0.output
    }

    /// The message and its causes, on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
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
