//! A machine that is connected, and what may be done with it.

use crate::agent::{Agent, Event, Facts, Seat, Trouble};
use crate::connect::{CloudInit, Log, connect};
use crate::link::Link;
use crate::{Error, Ids, Owner, Patience, Target};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// How long to wait for the machine when it is told goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// A machine that is ready: connected, its host key proven, its first boot over.
///
/// Dropping it ends the connection; [`Machine::close`] also removes what Kiln keeps in the machine's memory.
pub struct Machine {
    pub(crate) target: Target,
    pub(crate) seat: Seat,
    pub(crate) interrupted: watch::Receiver<bool>,
    pub(crate) link: Link,
    /// The one that waits for more, if the last has not ended.
    pub(crate) agent: Option<Agent>,
    pub(crate) facts: Facts,
    pub(crate) cloud_init: CloudInit,
    /// What owners were when they were last asked for. Each use is checked again by the machine.
    pub(crate) ids: BTreeMap<Owner, Ids>,
}

impl Machine {
    /// Connects: tries until sshd answers, proves the pinned host key and accepts the user's, and `cloud-init`,
    /// where there is one, has ended. How it ended [`Machine::cloud_init`] says. `log` receives what is waited for.
    ///
    /// # Errors
    /// At once for another host key ([`ErrorKind::HostKey`](crate::ErrorKind)) and for what is no address; at the
    /// deadline ([`ErrorKind::TimedOut`](crate::ErrorKind)), with what was reached last; when interrupted. The
    /// same `interrupted` stops every later call.
    pub async fn connect(
        target: Target,
        patience: Patience,
        log: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Self, Error> {
        let seat = Seat::new(&target.user);
        let ready = connect(&target, &seat, &patience, log, |_| true).await?;
        let mut machine = Self {
            target,
            seat,
            interrupted: patience.interrupted,
            link: ready.link,
            agent: Some(ready.agent),
            facts: ready.facts,
            cloud_init: ready.cloud_init,
            ids: BTreeMap::new(),
        };
        machine.seat.memory = Some(machine.facts.memory.clone());
        Ok(machine)
    }

    /// How the machine's first boot ended.
    #[must_use]
    pub fn cloud_init(&self) -> &CloudInit {
        &self.cloud_init
    }

    /// The machine's boot id (`/proc/sys/kernel/random/boot_id`): another after each restart.
    #[must_use]
    pub fn boot_id(&self) -> &str {
        &self.facts.boot
    }

    /// Returns when the connection has ended, for whatever reason. A machine that does not answer any more is
    /// noticed within 15 s, or 20 s where nothing was on its way to it.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.link.ended()
    }

    /// Removes what Kiln keeps in the machine's memory, and ends the connection.
    ///
    /// # Errors
    /// When the connection is broken already.
    pub async fn close(mut self) -> Result<(), Error> {
        let goodbye = async {
            let mut agent = match self.agent.take() {
                Some(agent) => agent,
                None => self.open_agent().await?,
            };
            let _ = agent.to.send("bye\n").await;
            // Not the end of the channel: a service that was started may hold it open.
            let is_bye = |event: &Event| matches!(event, Event::Word { text, .. } if text == "bye");
            while let Some(event) = agent.from.next().await {
                if is_bye(&event) {
                    return Ok(());
                }
            }
            Err(self.broken().await)
        };
        let outcome = tokio::time::timeout(GOODBYE, goodbye).await;
        self.link.close().await;
        outcome.unwrap_or_else(|_| Err(Error::environment("the machine does not answer any more")))
    }

    /// Puts another connection in the place of the one that ended.
    pub(crate) async fn reconnect(
        &mut self,
        patience: &Patience,
        log: Log<'_>,
        accept: impl Fn(&Facts) -> bool,
    ) -> Result<(), Error> {
        self.agent = None;
        let ready = connect(&self.target, &self.seat, patience, log, accept).await?;
        self.link = ready.link;
        self.agent = Some(ready.agent);
        self.facts = ready.facts;
        self.cloud_init = ready.cloud_init;
        Ok(())
    }

    pub(crate) async fn open_agent(&self) -> Result<Agent, Error> {
        match Agent::open(&self.link, &self.seat, "").await {
            Ok((agent, _)) => Ok(agent),
            Err(Trouble::Wrong(error)) => Err(error),
            Err(Trouble::Lost(why)) => Err(self.lost(&why)),
        }
    }

    pub(crate) async fn broken(&self) -> Error {
        self.lost(&self.link.reason().await)
    }

    fn lost(&self, why: &str) -> Error {
        Error::environment(format!("the connection to `{}` broke: {why}", self.target.address))
            .help("see on its console whether the machine still runs")
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Machine({}@{})", self.target.user, self.target.address)
    }
}
