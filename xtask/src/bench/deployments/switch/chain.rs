use super::lab::Lab;
use super::watched::Watched;
use anyhow::{Context, Result, ensure};

/// Seconds from a target's registration to its first check: `tests/lab/kiln_lab/control/latency.py`, `REGISTER_TARGET`.
const REGISTERS: f64 = 4.0;

/// The longest chain of waits that EC2 imposes on one deploy, from the lab's own record of it: seconds of each link.
#[derive(Debug)]
pub(super) struct Chain {
    /// From the call that asks for servers until Auto Scaling launches them.
    scales: f64,
    /// From then until the last of them runs.
    launches: f64,
    /// From then until it answers.
    boots: f64,
    /// From then until its load balancer finds it healthy, without what a later registration than possible adds.
    checks: f64,
    /// From the call that takes the old servers out until their drain time is over.
    drains: f64,
}

impl Chain {
    pub(super) fn of(lab: &Lab, watched: &Watched, divisor: u32) -> Result<Self> {
        let asked = first(lab, "CreateAutoScalingGroup", watched)?;
        let attached = first(lab, "AttachLoadBalancerTargetGroups", watched)?;
        let detached = first(lab, "DetachLoadBalancerTargetGroups", watched)?;
        let registers = REGISTERS / f64::from(divisor);
        let mut longest: Option<Self> = None;
        for (id, seen) in &watched.servers.new {
            let answers = lab.serves_since(id)?;
            let runs = seen.runs.with_context(|| format!("`{id}` never ran"))?;
            let healthy = seen.healthy.with_context(|| format!("`{id}` was never healthy"))?;
            ensure!(healthy > answers, "`{id}` was healthy before it answered");
            // As early as Auto Scaling itself would have registered it, or as early as that matters.
            let could = (runs + registers).max(answers);
            let late = (attached + registers - could).max(0.0);
            let chain = Self {
                scales: seen.launched - asked,
                launches: runs - seen.launched,
                boots: answers - runs,
                checks: healthy - answers - late,
                drains: 0.0,
            };
            if longest.as_ref().is_none_or(|longest| longest.traffic() < chain.traffic()) {
                longest = Some(chain);
            }
        }
        let gone = watched.servers.old.values().copied().fold(detached, f64::max);
        let chain = longest.context("there are no new servers")?;
        Ok(Self { drains: gone - detached, ..chain })
    }

    /// Until the new servers can have all traffic.
    pub(super) fn traffic(&self) -> f64 {
        self.scales + self.launches + self.boots + self.checks
    }

    /// Until the old ones are free of it.
    pub(super) fn all(&self) -> f64 {
        self.traffic() + self.drains
    }

    /// In words.
    pub(super) fn text(&self) -> String {
        let Self { scales, launches, boots, checks, drains } = self;
        format!(
            "EC2: launched after {scales:.2} s, runs after {launches:.2} s, answers after {boots:.2} s, healthy after {checks:.2} s; drained after {drains:.2} s"
        )
    }
}

fn first(lab: &Lab, action: &str, watched: &Watched) -> Result<f64> {
    let answered = lab.answered(action, watched.calls)?;
    answered.first().copied().with_context(|| format!("nobody has called `{action}`"))
}
