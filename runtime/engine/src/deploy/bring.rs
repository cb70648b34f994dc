use super::goal::Goal;
use super::recover::Recovered;
use super::replace::Replacement;
use super::turn::{Reading, Turn};
use super::weigh::Known;
use super::{Change, Outcome, PlannedDeployment, Work};
use crate::Error;
use crate::driver::HistoryEntry;

impl Turn<'_> {
    /// Makes the deployment be as declared: what was begun comes to its end first, then a fresh look says what differs.
    pub(super) async fn deploy(&self, work: &Work<'_>) -> Result<Outcome, Error> {
        let Work { desired, planned, .. } = *work;
        let reading = self.read().await?;
        if self.run.options.exact {
            let now = self.known(&reading, planned).plan(desired);
            if now.world != planned.world {
                return Err(self.moved());
            }
        }
        let goal = Goal::declared(self.deployer, desired);
        let (recovered, reading) = self.recover(&goal, reading).await?;
        if let Recovered::GoesOn(to) = recovered {
            let replacement = self.begun(&reading, to, "deploy");
            let generation = self.replace(&goal, &reading, replacement).await?;
            return Ok(Outcome::Deployed { generation });
        }
        let now = self.known(&reading, planned).plan(desired);
        let why: Vec<String> = now.reasons.iter().map(ToString::to_string).collect();
        let change = match now.change {
            Change::Unfinished { then, .. } => *then,
            change => change,
        };
        if change.weight() > planned.change.weight() {
            return Err(self.moved());
        }
        match change {
            Change::Nothing | Change::Mend { .. } if recovered == Recovered::Serves => {
                let message =
                    format!("what serves of `{}` cannot bear the traffic alone", self.deployment);
                let help = "an unfinished generation serves beside it until it has enough healthy servers; see `status`";
                Err(Error::environment(message).help(help))
            }
            Change::Nothing | Change::Orphan { .. } | Change::Unfinished { .. } => {
                Ok(Outcome::Unchanged)
            }
            Change::Mend { .. } => self.mend(&goal, &reading).await,
            Change::Adjust { .. } => self.adjust(&goal, &reading, why).await,
            Change::Create { to } | Change::Recreate { to } | Change::Roll { to, .. } => {
                let replacement =
                    Replacement { to, kept: false, action: "deploy", why, at: self.at };
                let generation = self.replace(&goal, &reading, replacement).await?;
                Ok(Outcome::Deployed { generation })
            }
        }
    }

    /// What somebody has begun, to be gone on with.
    pub(super) fn begun(&self, reading: &Reading, to: u32, action: &'static str) -> Replacement {
        let served = |entry: &HistoryEntry| entry.generation == to && entry.failure.is_none();
        let kept = reading.history.iter().any(served);
        let (why, at) = match &reading.intent {
            Some(intent) if intent.generation == to => (intent.ending.why.clone(), intent.at),
            _ => ("what had not ended".to_owned(), self.at),
        };
        Replacement { to, kept, action, why: vec![why], at }
    }

    fn known<'a>(&'a self, reading: &'a Reading, planned: &'a PlannedDeployment) -> Known<'a> {
        reading.known(self.deployer, &planned.place)
    }

    fn moved(&self) -> Error {
        let message = format!("what runs of `{}` has changed since the plan", self.deployment);
        Error::input(message).help("plan again, and look at what it says")
    }
}
