use super::batch::Steps;
use super::log::Log;
use super::{Bake, OnError};
use crate::driver::Session;
use crate::event::Event;
use crate::key::{Definition, Step};
use crate::{Error, ErrorKind};
use petgraph::graph::NodeIndex;

/// A step that failed, with the session as it left it.
pub(super) struct StepFailed {
    pub(super) error: Error,
    pub(super) session: Box<dyn Session>,
}

impl Bake<'_> {
    /// Runs the steps of a layer in a session: in one batch, but for what must be resolved first.
    pub(super) async fn run_steps(
        &self,
        index: NodeIndex,
        definition: &Definition,
        mut session: Box<dyn Session>,
        log: &Log<'_>,
    ) -> Result<Box<dyn Session>, StepFailed> {
        let steps = Steps::new(self, index, definition, log);
        let mut interrupted = self.options.interrupted.clone();
        let ended = tokio::select! {
            biased;
            _ = interrupted.wait_for(|asked| *asked) => Err((steps.last_begun(), Error::interrupted())),
            ended = steps.run(session.as_mut()) => ended,
        };
        match ended {
            Ok(()) => Ok(session),
            Err((position, error)) => {
                let error = match *self.options.interrupted.borrow() {
                    true => Error::interrupted(),
                    false => error,
                };
                let error = match definition.steps.get(position) {
                    Some(step) => self.in_words(index, step, error),
                    None => error,
                };
                Err(StepFailed { error, session })
            }
        }
    }

    /// Says of which step of which layer an error is.
    fn in_words(&self, index: NodeIndex, step: &Step, error: Error) -> Error {
        if error.kind() == ErrorKind::Interrupted {
            return error.at(&step.origin);
        }
        let message = format!(
            "step `{}` of layer `{}` failed: {}",
            step.title,
            self.name(index),
            error.chain()
        );
        let mut worded = Error::new(error.kind(), message)
            .at(error.origin().unwrap_or(&step.origin))
            .output(error.output_lines().to_vec());
        if let Some(help) = error.help_text() {
            worded = worded.help(help);
        }
        worded
    }

    /// Does with the session of a failed step what the user asked for. A session that is to be opened
    /// comes back: the failure is reported first.
    pub(super) async fn after_failure(
        &self,
        failed: StepFailed,
    ) -> (Error, Option<Box<dyn Session>>) {
        let StepFailed { error, session } = failed;
        let interrupted = error.kind() == ErrorKind::Interrupted;
        match self.options.on_error {
            OnError::Shell if !interrupted => (error, Some(session)),
            OnError::Keep if !interrupted => match session.keep().await {
                Ok(how) => (error.help(format!("the session is kept; enter it with: {how}")), None),
                Err(note) => {
                    self.warn(&note);
                    (error, None)
                }
            },
            _ => {
                self.close(session).await;
                (error, None)
            }
        }
    }

    /// Opens a shell for the user, then removes the session.
    pub(super) async fn open_shell(&self, mut session: Box<dyn Session>) {
        if let Err(note) = session.shell().await {
            self.warn(&note);
        }
        self.close(session).await;
    }

    pub(super) async fn close(&self, session: Box<dyn Session>) {
        if let Err(note) = session.close().await {
            self.warn(&note);
        }
    }

    fn warn(&self, note: &Error) {
        (self.events)(Event::Warning { message: note.chain() });
    }
}
