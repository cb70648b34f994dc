use clap::Args as ClapArgs;
use std::path::PathBuf;
use std::time::Duration;

/// Where deployments are kept in mind, and how long is waited for others.
#[derive(Debug, ClapArgs)]
pub(crate) struct StateArgs {
    /// Leases and history of deployments: a folder, or `s3://bucket/prefix`; each project has its part of it
    /// [default: `deployments` in the store]
    #[arg(long, env = "KILN_STATE", value_name = "ADDRESS")]
    pub(crate) state: Option<String>,
}

/// How a deployment is changed.
#[derive(Debug, ClapArgs)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Wait so many seconds for somebody else who changes the same deployment.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    lock_timeout: u64,
    /// If this process is killed, others must wait for so many seconds before they can change the deployment.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    lease_time: u64,
}

impl ChangeArgs {
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.lock_timeout)
    }

    pub(crate) fn lease_time(&self) -> Duration {
        Duration::from_secs(self.lease_time)
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Plan {
    /// Which deployments or images [default: all deployments; without any, all images]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Exit with 2 when there is something to do.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Also write the plan: `deploy FILE` does exactly this, or nothing.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Deploy {
    /// Which deployments [default: all], or one file that `plan --out` has written.
    #[arg(value_name = "NAME|PLANFILE")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Look {
    /// Which deployments [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct History {
    /// Which deployment.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Rollback {
    /// Which deployment.
    pub(crate) name: String,
    /// The generation that takes the traffic again [default: the one that had it before]
    #[arg(long, value_name = "GENERATION")]
    pub(crate) to: Option<u32>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Destroy {
    /// Which deployments.
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// Where, if they run in the region of the recipes and in that of the environment.
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}
