use kiln_engine::Error;
use std::path::Path;

/// Turns a failed system call or library call into an error that says what was being done.
pub(crate) trait Fault<T> {
    /// The machine is at fault: `cannot {what} `{path}``.
    fn doing(self, what: &str, path: &Path) -> Result<T, Error>;

    /// The machine is at fault, in words.
    fn failing(self, what: &str) -> Result<T, Error>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> Fault<T> for Result<T, E> {
    fn doing(self, what: &str, path: &Path) -> Result<T, Error> {
        self.map_err(|cause| {
            Error::environment(format!("cannot {what} `{}`", path.display())).caused_by(cause)
        })
    }

    fn failing(self, what: &str) -> Result<T, Error> {
        self.map_err(|cause| Error::environment(what).caused_by(cause))
    }
}
