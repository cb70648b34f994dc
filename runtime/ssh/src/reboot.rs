//! Restarting a machine.

use crate::connect::Log;
use crate::{Error, Exec, Machine, Op, Patience};
use std::time::Duration;

/// How long sshd may take to close the connection of a machine that goes down.
const TO_GO_DOWN: Duration = Duration::from_secs(5);

/// In the background, so that the command ends before the machine does.
const RESTART: &str =
    "sync\n(sleep 0.2; systemctl reboot || reboot || shutdown -r now) >/dev/null 2>&1 &";

impl Machine {
    /// Restarts the machine and connects to it again: returns when its boot id is another and its boot is over.
    ///
    /// # Errors
    /// When the machine cannot be told, or does not come back by the deadline: with what was reached last.
    pub async fn reboot(
        &mut self,
        patience: &Patience,
        log: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), Error> {
        let ops = [Op::Exec(Exec::shell(RESTART))];
        self.run(&ops, &()).await.map_err(|failed| failed.error)?;
        self.down(log).await;
        let boot = self.facts.boot.clone();
        // What the agents kept in memory went with it.
        self.seat.memory = None;
        self.reconnect(patience, log, |facts| facts.boot != boot).await?;
        self.seat.memory = Some(self.facts.memory.clone());
        self.ids.clear();
        Ok(())
    }

    /// Waits for the end of the connection: a machine that goes down ends it, or does not answer any more.
    async fn down(&mut self, log: Log<'_>) {
        log("the machine restarts");
        self.agent = None;
        if tokio::time::timeout(TO_GO_DOWN, self.link.ended()).await.is_err() {
            self.link.close().await;
        }
    }
}
