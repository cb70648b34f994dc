//! From an address to a machine that is ready: tries until sshd answers, the key is accepted, and the first boot is
//! over.

use crate::agent::{Agent, CLOUD_INIT, Facts, Seat, Trouble};
use crate::backoff::Backoff;
use crate::link::{Link, NoLink};
use crate::{Error, Patience, Reached, Target};
use std::sync::{Mutex, PoisonError};
use tokio::time::timeout_at;

/// How the machine's first boot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudInit {
    /// The machine has no `cloud-init`.
    Absent,
    /// Without an error.
    Done,
    /// With errors. Whether they matter is for the caller to say.
    Failed {
        /// As `cloud-init status` exits: 1 failed, 2 ended with errors that it recovered from.
        status: i32,
        /// What it says of itself, and the end of its log.
        log: Vec<String>,
    },
}

/// A connection, an agent at its end, and what it said of its machine.
pub(crate) struct Ready {
    pub(crate) link: Link,
    pub(crate) agent: Agent,
    pub(crate) facts: Facts,
    pub(crate) cloud_init: CloudInit,
}

pub(crate) type Log<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// How far tries got.
struct Last {
    /// The try that failed last, and why.
    failed: (Reached, String),
    /// The one that is under way.
    now: Reached,
}

impl Last {
    /// What to say when there is no time for more: a try that is under way counts when it got further.
    fn words(&self) -> (Reached, &str) {
        if self.now > self.failed.0 { (self.now, "") } else { (self.failed.0, &self.failed.1) }
    }
}

/// Tries until a machine is ready that `accept`s what it says of itself.
pub(crate) async fn connect(
    target: &Target,
    seat: &Seat,
    patience: &Patience,
    log: Log<'_>,
    accept: impl Fn(&Facts) -> bool,
) -> Result<Ready, Error> {
    target.check()?;
    let failed = (Reached::Nothing, String::new());
    let last = Mutex::new(Last { failed, now: Reached::Nothing });
    let tries = tries(target, seat, &last, log, accept);
    tokio::select! {
        () = patience.interruption() => Err(Error::interrupted()),
        outcome = timeout_at(patience.deadline, tries) => outcome.unwrap_or_else(|_| {
            let last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let (reached, why) = last.words();
            Err(Error::timed_out(&target.address, reached, why))
        }),
    }
}

async fn tries(
    target: &Target,
    seat: &Seat,
    last: &Mutex<Last>,
    log: Log<'_>,
    accept: impl Fn(&Facts) -> bool,
) -> Result<Ready, Error> {
    let mut backoff = Backoff::new();
    let mut logged = String::new();
    loop {
        let no = match attempt(target, seat, last, log, &accept).await {
            Ok(ready) => return Ok(ready),
            Err(no) => no,
        };
        match no {
            NoLink::Ever(error) => return Err(error),
            NoLink::Yet(reached, why) => {
                note(last, Reached::Nothing);
                last.lock().unwrap_or_else(PoisonError::into_inner).failed = (reached, why.clone());
                if logged != why {
                    log(&format!("waiting for `{}`: {why}", target.address));
                    logged = why;
                }
            }
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn attempt(
    target: &Target,
    seat: &Seat,
    last: &Mutex<Last>,
    log: Log<'_>,
    accept: &impl Fn(&Facts) -> bool,
) -> Result<Ready, NoLink> {
    let link = Link::open(target, || note(last, Reached::Handshake)).await?;
    note(last, Reached::Login);
    let (mut agent, facts) =
        Agent::open(&link, seat, CLOUD_INIT).await.map_err(|trouble| match trouble {
            Trouble::Lost(why) => NoLink::Yet(Reached::Login, why),
            Trouble::Wrong(error) => NoLink::Ever(error),
        })?;
    if !accept(&facts) {
        return Err(NoLink::Yet(Reached::Login, "the machine has not restarted yet".into()));
    }
    note(last, Reached::CloudInit);
    let cloud_init = agent.cloud_init(&link, log).await;
    let cloud_init = cloud_init.map_err(|why| NoLink::Yet(Reached::CloudInit, why))?;
    Ok(Ready { link, agent, facts, cloud_init })
}

fn note(last: &Mutex<Last>, now: Reached) {
    last.lock().unwrap_or_else(PoisonError::into_inner).now = now;
}
