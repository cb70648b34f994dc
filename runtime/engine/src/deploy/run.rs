use super::look::Look;
use super::side_by_side::side_by_side;
use super::turn::Turn;
use super::{Desired, PlannedDeployment};
use crate::driver::{Deployer, Holder, Lease, NotYours, State};
use crate::event::DeployPhase;
use crate::{Error, Event, Events};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// How deployments are changed.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many are changed side by side; at least 1.
    pub jobs: usize,
    /// Who changes them.
    pub holder: Holder,
    /// How long to wait for somebody else who changes the same.
    pub patience: Duration,
    /// Whether exactly the plan is done, or nothing: what runs must be as it was when it was made. Else a fresh look
    /// decides, as long as it asks for no more than the plan.
    pub exact: bool,
    /// Turns true when the user asks to stop.
    pub interrupted: watch::Receiver<bool>,
}

/// Everything that changing deployments works with.
pub struct Run<'a> {
    /// What stands beside what runs.
    pub state: &'a dyn State,
    /// Where events go.
    pub events: Events<'a>,
    /// How.
    pub options: &'a Options,
}

/// A deployment that is to be as declared.
pub struct Work<'a> {
    /// Who runs it.
    pub deployer: &'a dyn Deployer,
    /// What is declared. Its image is baked.
    pub desired: &'a Desired,
    /// What was planned.
    pub planned: &'a PlannedDeployment,
}

/// How one deployment ended.
#[derive(Debug)]
pub enum Outcome {
    /// It was as declared when its turn came.
    Unchanged,
    /// This generation serves now.
    Deployed {
        /// Its number.
        generation: u32,
    },
    /// This generation goes on, mended or adjusted.
    Adjusted {
        /// Its number.
        generation: u32,
    },
    /// It failed. What served before serves on, or the error says otherwise.
    Failed(Error),
}

impl Run<'_> {
    /// Makes deployments be as declared, side by side. One that fails stops no other. Returns how each ended, by name.
    pub async fn deploy(&self, work: &[Work<'_>]) -> BTreeMap<String, Outcome> {
        let places = work.iter().map(|work| work.planned.place.as_str());
        let looks: BTreeMap<&str, Look> = places.map(|place| (place, Look::default())).collect();
        let queue = Mutex::new(work.iter());
        let outcomes = Mutex::new(BTreeMap::new());
        let worker = async || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(work) = next else { break };
                let Some(look) = looks.get(work.planned.place.as_str()) else { break };
                let name = &work.desired.node.name;
                let ended = self.deploy_one(work, look).await;
                let outcome = self.told(name, ended, &work.desired.node.origin);
                let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                outcomes.insert(name.clone(), outcome);
            }
        };
        let jobs = self.options.jobs.clamp(1, work.len().max(1));
        side_by_side((0..jobs).map(|_| worker())).await;
        outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the traffic back to an earlier generation: `to`, or the one that served before. Where it is gone, a new one
    /// is made of what the history says.
    pub async fn rollback(
        &self,
        deployer: &dyn Deployer,
        deployment: &str,
        to: Option<u32>,
    ) -> Outcome {
        let look = Look::default();
        let ended = async {
            let lease = self.lease(deployment).await?;
            let turn = Turn::new(self, deployer, deployment, &*lease, &look);
            let ended = turn.rollback(to).await;
            self.give_back(lease).await;
            ended
        };
        match ended.await {
            Ok(generation) => Outcome::Deployed { generation },
            Err(error) => self.failed(deployment, error),
        }
    }

    /// Removes everything that was made for a deployment.
    ///
    /// # Errors
    /// For each thing that stays; the others are gone.
    pub async fn destroy(
        &self,
        deployer: &dyn Deployer,
        deployment: &str,
    ) -> Result<(), Vec<Error>> {
        let look = Look::default();
        let ended = async {
            let lease = self.lease(deployment).await.map_err(|error| vec![error])?;
            let turn = Turn::new(self, deployer, deployment, &*lease, &look);
            let ended = turn.destroy().await;
            self.give_back(lease).await;
            ended
        };
        ended.await.inspect_err(|errors| {
            for error in errors {
                self.say_failed(deployment, error);
            }
        })
    }

    async fn deploy_one(&self, work: &Work<'_>, look: &Look) -> Result<Outcome, Error> {
        let name = &work.desired.node.name;
        if work.desired.image.artifact().is_none() {
            let message = format!("the image of `{name}` is not baked");
            return Err(Error::environment(message).help("bake it first"));
        }
        let lease = self.lease(name).await?;
        let turn = Turn::new(self, work.deployer, name, &*lease, look);
        let ended = turn.deploy(work).await;
        self.give_back(lease).await;
        ended
    }

    /// The right to change a deployment; waits for whoever has it.
    async fn lease(&self, deployment: &str) -> Result<Box<dyn Lease>, Error> {
        let Options { holder, patience, interrupted, .. } = self.options;
        if *interrupted.borrow() {
            return Err(Error::interrupted());
        }
        let at_once = self.state.lease(deployment, holder, Duration::ZERO).await;
        let refused = match at_once {
            Err(NotYours::Held { .. }) if !patience.is_zero() => {
                self.say(deployment, None, DeployPhase::Waiting);
                let mut interrupted = interrupted.clone();
                tokio::select! {
                    biased;
                    Ok(_) = interrupted.wait_for(|asked| *asked) => {
                        return Err(Error::interrupted());
                    }
                    lease = self.state.lease(deployment, holder, *patience) => lease,
                }
            }
            lease => lease,
        };
        refused.map_err(|refused| match refused {
            NotYours::Failed(error) => error,
            NotYours::Held { holder, until } => {
                let Holder { who, run: _, command } = holder;
                let left = until.saturating_sub(now());
                Error::environment(format!("{who} is changing `{deployment}`: `{command}`")).help(
                    format!(
                        "wait for it, with `--lock-timeout SECONDS`; if it has died, its lease ends by itself in {left} s"
                    ),
                )
            }
        })
    }

    async fn give_back(&self, lease: Box<dyn Lease>) {
        if let Err(error) = lease.release().await {
            let message = format!("the lease ends by itself later: {}", error.chain());
            (self.events)(Event::Warning { message });
        }
    }

    pub(super) fn say(&self, deployment: &str, generation: Option<u32>, phase: DeployPhase) {
        (self.events)(Event::Deploy { deployment: deployment.to_owned(), generation, phase });
    }

    fn told(
        &self,
        deployment: &str,
        ended: Result<Outcome, Error>,
        origin: &kiln::Origin,
    ) -> Outcome {
        match ended {
            Ok(outcome) => outcome,
            Err(error) => self.failed(deployment, error.at(origin)),
        }
    }

    fn failed(&self, deployment: &str, error: Error) -> Outcome {
        self.say_failed(deployment, &error);
        Outcome::Failed(error)
    }

    fn say_failed(&self, deployment: &str, error: &Error) {
        let phase = DeployPhase::Failed {
            message: error.chain(),
            origin: error.origin().cloned(),
            help: error.help_text().map(ToOwned::to_owned),
            output: error.output_lines().to_vec(),
        };
        self.say(deployment, None, phase);
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
