//! What a command prints, as a value.

use crate::{Error, Exec, Machine, Op, Progress};

/// Lines of standard error, to whoever wants them.
struct Complaints<'a>(&'a (dyn Fn(&str) + Send + Sync));

impl Progress for Complaints<'_> {
    fn started(&self, _: usize) {}

    fn line(&self, _: usize, line: &str) {
        (self.0)(line);
    }
}

impl Machine {
    /// Runs a command and returns its standard output, to the byte, where it is UTF-8. `log` receives the lines of
    /// its standard error.
    ///
    /// # Errors
    /// As [`Machine::run`], and when it prints more than 64 MiB.
    pub async fn output(
        &mut self,
        exec: Exec,
        log: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<String, Error> {
        let captured = self.batch(&[Op::Exec(exec)], &Complaints(log), Some(Vec::new())).await;
        let captured = captured.map_err(|failed| failed.error)?;
        Ok(String::from_utf8(captured)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}
