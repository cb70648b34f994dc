use super::{enter, put};
use kiln_engine::Error;
use kiln_engine::driver::{Action, ActionFailed, ExecAction, Progress, PutAction};
use kiln_ssh::{ErrorKind, Machine, Op, OpFailed};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Ops of some actions, sent together: what is small costs no round trip of its own.
#[derive(Debug, Default)]
pub(super) struct Batch {
    ops: Vec<Op>,
    /// Of each op, the position of its action.
    actions: Vec<usize>,
}

impl Batch {
    pub(super) fn put(&mut self, index: usize, action: &PutAction) -> Result<(), Error> {
        let op = Op::Unpack(put::unpack(action)?);
        self.push(index, op);
        Ok(())
    }

    pub(super) fn exec(&mut self, index: usize, action: &ExecAction) -> Result<(), Error> {
        self.push(index, Op::Exec(enter::exec(action)?));
        Ok(())
    }

    pub(super) fn remove(&mut self, index: usize, dest: &str) -> Result<(), Error> {
        put::refuse_unseen(dest)?;
        self.push(index, Op::Remove { path: dest.to_owned() });
        Ok(())
    }

    pub(super) fn push(&mut self, index: usize, op: Op) {
        self.ops.push(op);
        self.actions.push(index);
    }

    /// Does what has been collected.
    ///
    /// # Errors
    /// The first that failed, in the words that every builder has for it.
    pub(super) async fn run(
        self,
        machine: &mut Machine,
        actions: &[Action],
        progress: &dyn Progress,
    ) -> Result<(), ActionFailed> {
        if self.ops.is_empty() {
            return Ok(());
        }
        let relay = Relay { progress, actions: &self.actions, begun: AtomicUsize::new(0) };
        let ended = machine.run(&self.ops, &relay).await;
        ended.map_err(|OpFailed { index, error }| {
            let action = self.actions.get(index).copied().unwrap_or_default();
            ActionFailed { action, error: in_words(error, actions.get(action)) }
        })
    }
}

/// Tells of ops as of their actions; of an action that is several ops, once.
struct Relay<'a> {
    progress: &'a dyn Progress,
    actions: &'a [usize],
    /// One more than the last action that has begun.
    begun: AtomicUsize,
}

impl kiln_ssh::Progress for Relay<'_> {
    fn started(&self, op: usize) {
        if let Some(&action) = self.actions.get(op)
            && self.begun.fetch_max(action + 1, Ordering::Relaxed) <= action
        {
            self.progress.started(action);
        }
    }

    fn line(&self, op: usize, line: &str) {
        if let Some(&action) = self.actions.get(op) {
            self.progress.line(action, line);
        }
    }
}

/// What failed on the machine, as the other builders say it.
pub(super) fn in_words(error: kiln_ssh::Error, action: Option<&Action>) -> Error {
    if let Some(ours) = told(&error) {
        return ours;
    }
    let output = error.output_lines().to_vec();
    let complaint = output.iter().rev().find_map(|line| line.strip_prefix(enter::COMPLAINT));
    let limits = match action {
        Some(Action::Exec(exec)) => exec.limits,
        _ => kiln::Limits::default(),
    };
    let ours = match (error.kind(), action) {
        (_, Some(Action::Exec(_))) if complaint.is_some() => {
            return Error::input(complaint.unwrap_or_default())
                .help("make it in an earlier step, or give a number");
        }
        (ErrorKind::Failed { status: 137 }, _) if limits.memory.is_some() => {
            let limit = limits.memory.unwrap_or_default() >> 20;
            Error::input(format!("ran out of memory (limit {limit} MiB)"))
                .help("give the step more with `memory`")
        }
        (ErrorKind::Failed { status }, Some(Action::Put(put))) => {
            let shown = &put.dest;
            Error::input(format!("cannot put `{shown}` on the machine (tar ended with {status})"))
        }
        (ErrorKind::Failed { status }, _) if (129..=192).contains(&status) => {
            Error::input(format!("command was killed by signal {}", status - 128))
        }
        (ErrorKind::Failed { status }, _) => {
            Error::input(format!("command exited with status {status}"))
        }
        (ErrorKind::TimeLimit(time), _) => {
            Error::input(format!("ran out of time after {}", duration(time)))
                .help("give the step more with `timeout`")
        }
        _ => return crate::ssh::in_our_words(error),
    };
    ours.output(output)
}

/// An error of ours that came back from the archive's writer.
fn told(error: &kiln_ssh::Error) -> Option<Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(ours) = inner.and_then(|error| error.downcast_ref::<Error>()) {
            let copy = Error::new(ours.kind(), ours.chain());
            return Some(match ours.help_text() {
                Some(help) => copy.help(help),
                None => copy,
            });
        }
        cause = error.source();
    }
    None
}

/// `10m`, as recipes write it.
pub(crate) fn duration(time: Duration) -> String {
    let millis = time.as_millis();
    [(3_600_000, "h"), (60_000, "m"), (1000, "s")]
        .into_iter()
        .find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit))
        .map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}
