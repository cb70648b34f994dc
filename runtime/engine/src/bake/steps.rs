use super::log::Log;
use super::{Bake, OnError};
use crate::driver::{Action, Session};
use crate::event::Event;
use crate::key::{Definition, Prepared, Step};
use crate::lock::LockedFile;
use crate::{Error, ErrorKind};
use petgraph::graph::NodeIndex;

/// A step that failed, with the session as it left it.
pub(super) struct StepFailed {
    pub(super) error: Error,
    pub(super) session: Box<dyn Session>,
}

impl Bake<'_> {
    /// Runs the steps of a layer in a session, resolving what is not locked.
    pub(super) async fn run_steps(
        &self,
        index: NodeIndex,
        definition: &Definition,
        mut session: Box<dyn Session>,
        log: &Log<'_>,
    ) -> Result<Box<dyn Session>, StepFailed> {
        for (position, step) in definition.steps.iter().enumerate() {
            (self.events)(Event::Step {
                node: self.name(index).clone(),
                index: position + 1,
                title: step.title.clone(),
                origin: step.origin.clone(),
            });
            for prepared in &step.actions {
                let mut interrupted = self.options.interrupted.clone();
                let ended = tokio::select! {
                    biased;
                    _ = interrupted.wait_for(|asked| *asked) => Err(Error::interrupted()),
                    ended = self.run_action(prepared, session.as_mut(), log) => ended,
                };
                if let Err(error) = ended {
                    let error = if *self.options.interrupted.borrow() {
                        Error::interrupted()
                    } else {
                        error
                    };
                    return Err(StepFailed { error: self.in_words(index, step, error), session });
                }
            }
        }
        Ok(session)
    }

    async fn run_action(
        &self,
        prepared: &Prepared,
        session: &mut dyn Session,
        log: &Log<'_>,
    ) -> Result<(), Error> {
        let output = |line: &str| log.line(line);
        let Some((id, script)) = &prepared.wants else {
            return session.run(&prepared.action, &output).await;
        };
        let Action::Exec(exec) = &prepared.action else {
            return session.run(&prepared.action, &output).await;
        };
        let files = match self.lock.get(id) {
            Some(files) => files,
            None => {
                let printed = session.resolve(script, exec.limits, &output).await?;
                let files =
                    printed.lines().map(str::parse).collect::<Result<Vec<LockedFile>, _>>()?;
                self.lock.insert(id.clone(), files);
                self.lock.get(id).unwrap_or_default()
            }
        };
        let mut exec = exec.clone();
        exec.files = Some(files);
        session.run(&Action::Exec(exec), &output).await
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
