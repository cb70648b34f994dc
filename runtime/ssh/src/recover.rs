//! After a connection broke: stops what was under way on the machine, and finds out how far it got.

use crate::agent::Event;
use crate::batch::Batch;
use crate::{Error, ErrorKind, Machine, Op, Patience};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long to try to reach the machine again.
const TO_RECONNECT: Duration = Duration::from_secs(60);

/// How long to wait for the end of what is stopped.
const TO_STOP: Duration = Duration::from_secs(10);

impl Machine {
    /// Makes a connection again and sets the batch to where it goes on.
    ///
    /// # Errors
    /// When the machine cannot be reached, was restarted, or had begun a command.
    pub(crate) async fn recover(
        &mut self,
        batch: &mut Batch<'_>,
        again: bool,
    ) -> Result<(), Error> {
        let why = self.link.reason().await;
        let cut = self.cut(batch, &why);
        if !again {
            return Err(cut);
        }
        let boot = self.facts.boot.clone();
        let patience = Patience::of(TO_RECONNECT, self.interrupted.clone());
        if let Err(error) = self.reconnect(&patience, &|_| (), |_| true).await {
            return Err(match error.kind() {
                ErrorKind::TimedOut(_) => cut.caused_by(error),
                _ => error,
            });
        }
        batch.staged = false;
        if self.facts.boot != boot {
            return Err(self.cut(batch, "the machine restarted"));
        }
        let last = match self.ask().await {
            Some(last) => last,
            None => return Err(self.cut(batch, "it broke again at once")),
        };
        let fields: Vec<&str> = last.split_whitespace().collect();
        let number = fields.get(1).and_then(|number| number.parse::<usize>().ok());
        let Some(number) =
            number.filter(|number| *number >= batch.next && *number < batch.ops.len())
        else {
            // Nothing that is not known to have ended left a trace: unpacking and removing never do.
            return Ok(());
        };
        // Ops end in order, and none begins after one that failed.
        batch.next = number;
        match (&batch.ops[number], &fields[..]) {
            (Op::Exec(_), ["end", _, "0", ..]) => {
                batch.next = number + 1;
                Ok(())
            }
            // Perhaps because nobody read any more what it printed.
            (Op::Exec(_), ["end", _, status, ..]) => {
                Err(self.cut(batch, &format!("{why}; then the command ended with status {status}")))
            }
            (Op::Exec(_), _) => Err(self.cut(batch, &why)),
            // What it was sent may not have been all there was.
            _ => Ok(()),
        }
    }

    /// Stops what the machine does for a batch that nobody waits for any more.
    pub(crate) async fn stop(&mut self) {
        self.agent = None;
        let stop = async {
            if let Ok(agent) = self.open_agent().await {
                self.agent = Some(agent);
                self.ask().await;
            }
        };
        // What cannot be stopped in this time is on a machine that does not answer.
        let _ = tokio::time::timeout(TO_STOP, stop).await;
    }

    /// Has the agent stop the one before it; returns what that did last.
    async fn ask(&mut self) -> Option<String> {
        let agent = self.agent.as_mut()?;
        agent.to.send("recover\n").await.ok()?;
        loop {
            if let Event::Word { text, .. } = agent.from.next().await?
                && let Some(last) = text.strip_prefix("recovered ")
            {
                return Some(last.to_owned());
            }
        }
    }

    fn cut(&self, batch: &Batch<'_>, why: &str) -> Error {
        let sent = batch.sent.load(Ordering::Relaxed);
        let how_far = match &batch.ops[batch.next.min(batch.ops.len() - 1)] {
            Op::Exec(_) => "a command ran, which may have had any effect".to_owned(),
            Op::Unpack(_) => format!("{sent} bytes of an archive had been sent"),
            Op::Remove { .. } => "something was being removed".to_owned(),
        };
        let output = batch.lines.last();
        Error::new(
            ErrorKind::Cut,
            format!("the connection to `{}` broke while {how_far}: {why}", self.target.address),
        )
        .help("see on its console whether the machine still runs, and try again")
        .output(output)
    }
}
