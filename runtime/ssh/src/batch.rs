//! A batch of ops from its first to its last, over as many agents and connections as that takes.

use crate::agent::Event;
use crate::lines::Lines;
use crate::packing::Compression;
use crate::segment::{Segment, Sent, resolve};
use crate::target::interruption;
use crate::{Error, ErrorKind, Machine, Op, OpFailed, Owner, Progress, job};
use std::sync::atomic::AtomicU64;

/// How often one op is begun anew because the connection broke.
const TRIES: u32 = 3;

/// A batch and how far it is.
pub(crate) struct Batch<'a> {
    pub(crate) ops: &'a [Op],
    pub(crate) progress: &'a dyn Progress,
    /// The first op that has not ended.
    pub(crate) next: usize,
    /// Whether the files of that op are on the machine already.
    pub(crate) staged: bool,
    /// Whether the agent's journal is that of this batch.
    pub(crate) journaled: bool,
    /// How often the op that is next was interrupted by a broken connection.
    pub(crate) broken: u32,
    /// What commands printed on their standard output, where that is wanted by itself.
    pub(crate) capture: Option<Vec<u8>>,
    pub(crate) lines: Lines,
    /// The agents' directory in memory.
    pub(crate) memory: String,
    /// Bytes that were sent of the archive that is on its way.
    pub(crate) sent: AtomicU64,
}

/// Why a segment ended before its ops did.
pub(crate) enum Stop {
    /// An op failed: the batch is over.
    Failed(OpFailed),
    /// The machine's accounts are not what they were: ask again.
    Stale,
    /// The agent is gone, and perhaps the connection.
    Lost,
    /// The caller wants no more; this process group is to be stopped.
    Interrupted,
}

/// More than this is no output to read, but a file to fetch.
const LARGEST_CAPTURE: usize = 64 << 20;

impl Machine {
    /// Does ops in their order, up to the first that fails, in few round trips: small ones are sent without waiting
    /// for those before them.
    ///
    /// When the connection breaks, it is made anew, and the batch goes on where that is safe: unpacking and removing
    /// are repeated, a command that had begun never is.
    ///
    /// # Errors
    /// See [`ErrorKind`]; the error names the op and holds the last lines that it printed. Ops that the machine
    /// could not be told (a path that is none) fail before any op is begun.
    pub async fn run(&mut self, ops: &[Op], progress: &dyn Progress) -> Result<(), OpFailed> {
        self.batch(ops, progress, None).await.map(|_| ())
    }

    pub(crate) async fn batch(
        &mut self,
        ops: &[Op],
        progress: &dyn Progress,
        capture: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, OpFailed> {
        for (index, op) in ops.iter().enumerate() {
            job::check(op).map_err(|error| OpFailed { index, error })?;
        }
        let mut batch = Batch {
            ops,
            progress,
            next: 0,
            staged: false,
            journaled: false,
            broken: 0,
            capture,
            lines: Lines::default(),
            memory: String::new(),
            sent: AtomicU64::new(0),
        };
        while batch.next < ops.len() {
            let begun = batch.next;
            match self.segment(&mut batch).await {
                Ok(()) => {}
                Err(Stop::Failed(failed)) => {
                    self.agent = None;
                    return Err(failed);
                }
                Err(Stop::Stale) => {
                    self.agent = None;
                    self.ids.clear();
                }
                Err(Stop::Interrupted) => {
                    self.stop().await;
                    return Err(OpFailed { index: batch.next, error: Error::interrupted() });
                }
                Err(Stop::Lost) => {
                    batch.broken = if batch.next == begun { batch.broken + 1 } else { 1 };
                    let again = batch.broken < TRIES;
                    let index = batch.next;
                    self.recover(&mut batch, again)
                        .await
                        .map_err(|error| OpFailed { index: batch.next.max(index), error })?;
                }
            }
        }
        Ok(batch.capture.unwrap_or_default())
    }

    /// Sends what goes through one agent, and listens until all of it has ended.
    async fn segment(&mut self, batch: &mut Batch<'_>) -> Result<(), Stop> {
        let mut agent = match self.agent.take() {
            Some(agent) => agent,
            None => self.open_agent().await.map_err(|_| Stop::Lost)?,
        };
        let journal = if batch.journaled { "more" } else { "fresh" };
        if agent.to.send(format!("begin 0 {journal}\n")).await.is_err() {
            return Err(Stop::Lost);
        }
        batch.journaled = true;
        batch.memory.clone_from(&self.facts.memory);
        let unknown = self.unknown(batch);
        if !unknown.is_empty() {
            let known = resolve(&unknown, &agent.to, &mut agent.from).await.ok_or(Stop::Lost)?;
            self.ids.extend(known);
        }
        if let Some(Op::Unpack(unpack)) = batch.ops.get(batch.next)
            && unpack.owner.fixed().is_none()
            && !self.ids.contains_key(&unpack.owner)
        {
            return Err(Stop::Failed(OpFailed { index: batch.next, error: nobody(&unpack.owner) }));
        }
        let sent_bytes = std::mem::take(&mut batch.sent);
        let segment = Segment {
            ops: batch.ops,
            first: batch.next,
            staged: batch.staged,
            alone: batch.capture.is_some(),
            ids: &self.ids,
            memory: &self.facts.memory,
            name: &self.seat.name,
            best: Compression::for_machine(self.target.address.ip(), self.facts.zstd),
            sent: &sent_bytes,
        };
        let outcome = {
            let to = agent.to.clone();
            let sending = segment.send(&to);
            let interrupted = interruption(self.interrupted.clone());
            tokio::pin!(sending, interrupted);
            let mut sent = None;
            loop {
                if let Some(sent) = &mut sent
                    && let Some(outcome) = batch.over(sent)
                {
                    break outcome;
                }
                tokio::select! {
                    end = &mut sending, if sent.is_none() => sent = Some(end),
                    event = agent.from.next() => match event {
                        Some(event) => if let Err(stop) = batch.hear(event) {
                            break Err(stop);
                        },
                        None => break match sent {
                            Some(Sent::Failed { at, error }) if at == batch.next => Err(batch.failed(error)),
                            _ => Err(Stop::Lost),
                        },
                    },
                    () = &mut interrupted => break Err(Stop::Interrupted),
                }
            }
        };
        batch.sent = sent_bytes;
        if outcome? {
            self.agent = Some(agent);
        }
        Ok(())
    }

    /// Owners of what is still to be unpacked that the machine has not been asked for.
    fn unknown(&self, batch: &Batch<'_>) -> Vec<Owner> {
        let owners = batch.ops[batch.next..].iter().filter_map(|op| match op {
            Op::Unpack(unpack) if unpack.owner.fixed().is_none() => Some(&unpack.owner),
            _ => None,
        });
        let mut owners: Vec<Owner> =
            owners.filter(|owner| !self.ids.contains_key(owner)).cloned().collect();
        owners.sort();
        owners.dedup();
        owners
    }
}

impl Batch<'_> {
    /// Whether all that was sent has ended: then, whether the agent waits for more.
    fn over(&mut self, sent: &mut Sent) -> Option<Result<bool, Stop>> {
        match sent {
            Sent::Ops { end } if *end == self.next => Some(Ok(true)),
            Sent::Last { end } if *end == self.next => Some(Ok(false)),
            Sent::Files { of } if *of == self.next && self.staged => Some(Ok(false)),
            Sent::Failed { at, .. } if *at == self.next => {
                let failed = std::mem::replace(sent, Sent::Broken);
                match failed {
                    Sent::Failed { error, .. } => Some(Err(self.failed(error))),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    pub(crate) fn failed(&mut self, error: Error) -> Stop {
        let (index, progress) = (self.next, self.progress);
        self.lines.flush(&mut |line| progress.line(index, line));
        let error = error.output(self.lines.take_last());
        Stop::Failed(OpFailed { index, error })
    }

    fn hear(&mut self, event: Event) -> Result<(), Stop> {
        let (index, progress) = (self.next, self.progress);
        let mut sink = |line: &str| progress.line(index, line);
        match event {
            Event::Printed(bytes) => match &mut self.capture {
                Some(capture) if capture.len() + bytes.len() > LARGEST_CAPTURE => {
                    let error = Error::environment("the command prints more than 64 MiB")
                        .help("let it write a file instead");
                    return Err(self.failed(error));
                }
                Some(capture) => capture.extend_from_slice(&bytes),
                None => self.lines.push(&bytes, &mut sink),
            },
            Event::Complained(bytes) => self.lines.push(&bytes, &mut sink),
            Event::Word { text, unended } => {
                if unended && let Some(capture) = &mut self.capture {
                    capture.pop();
                }
                self.lines.flush(&mut sink);
                return self.word(&text);
            }
        }
        Ok(())
    }

    fn word(&mut self, text: &str) -> Result<(), Stop> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let number = fields.get(1).and_then(|number| number.parse::<usize>().ok());
        if number != Some(self.next) {
            return Ok(());
        }
        match fields[..] {
            ["start", _] => {
                self.lines.take_last();
                self.lines.hidden = format!("{}/{}-", self.memory, self.next);
                self.progress.started(self.next);
            }
            ["end", _, "0"] => {
                self.next += 1;
                self.staged = false;
                self.broken = 0;
                self.lines.take_last();
            }
            ["end", _, _, "late"] => {
                let limit = match &self.ops[self.next] {
                    Op::Exec(exec) => exec.time_limit.unwrap_or_default(),
                    _ => std::time::Duration::ZERO,
                };
                let error = Error::new(
                    ErrorKind::TimeLimit(limit),
                    format!("the command was stopped after {limit:?}: its time was up"),
                );
                return Err(self.failed(error.help("allow it more time, or see what it waits for")));
            }
            ["end", _, status] => return Err(self.ended(status)),
            ["staged", _] => self.staged = true,
            ["stale", _] => return Err(Stop::Stale),
            ["missing", _, what] => {
                let user = match &self.ops[self.next] {
                    Op::Exec(exec) => exec.user.clone(),
                    _ => None,
                };
                let user = user.unwrap_or_else(Owner::root);
                let name = if what == "user" {
                    &user.user
                } else {
                    user.group.as_ref().unwrap_or(&user.user)
                };
                let error = Error::input(format!("the machine has no {what} `{name}`"))
                    .help(format!("make the {what} before, or give a number"));
                return Err(self.failed(error));
            }
            _ => {}
        }
        Ok(())
    }

    /// An op that ended with another status than 0.
    pub(crate) fn ended(&mut self, status: &str) -> Stop {
        let status: i32 = status.parse().unwrap_or(1);
        let what = match &self.ops[self.next] {
            Op::Exec(_) => "the command",
            Op::Unpack(_) => "unpacking",
            Op::Remove { .. } => "removing",
        };
        let signal =
            if status > 128 { format!(" (signal {})", status - 128) } else { String::new() };
        let error = Error::new(
            ErrorKind::Failed { status },
            format!("{what} ended with status {status}{signal}"),
        );
        self.failed(error)
    }
}

fn nobody(owner: &Owner) -> Error {
    let name = match &owner.group {
        Some(group) => format!("user `{}` or no group `{group}`", owner.user),
        None => format!("user `{}`", owner.user),
    };
    Error::input(format!("the machine has no {name}")).help("make it before, or give a number")
}
