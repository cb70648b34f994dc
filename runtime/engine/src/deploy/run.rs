use super::{Desired, PlannedDeployment};
use crate::driver::{Deployer, Holder, State};
use crate::{Error, Events};
use std::collections::BTreeMap;
use std::time::Duration;
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
    /// Whether exactly the plan is done, or nothing: what was declared or runs must be as it was when it was made. Else
    /// a fresh look decides, as long as it asks for no more than the plan.
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
    /// Makes deployments be as declared, side by side. One that fails stops no other. Wants a tokio runtime of several
    /// threads where there are several.
    pub async fn deploy(&self, _work: &[Work<'_>]) -> BTreeMap<String, Outcome> {
        BTreeMap::new()
    }

    /// Gives the traffic back to an earlier generation: `to`, or the one that served before. Where it is gone, a new one
    /// is made of what the history says.
    pub async fn rollback(
        &self,
        _deployer: &dyn Deployer,
        _deployment: &str,
        _to: Option<u32>,
    ) -> Outcome {
        Outcome::Unchanged
    }

    /// Removes everything that was made for a deployment.
    ///
    /// # Errors
    /// For each thing that stays; the others are gone.
    pub async fn destroy(
        &self,
        _deployer: &dyn Deployer,
        _deployment: &str,
    ) -> Result<(), Vec<Error>> {
        Ok(())
    }
}
