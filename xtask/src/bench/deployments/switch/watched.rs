use super::lab::Lab;
use super::{SERVERS, Tool};
use crate::bench::measure::Sample;
use anyhow::{Context, Result, anyhow, ensure};
use kiln_load::{Address, Load, Request};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Requests to the load balancer, each second.
const RATE: u32 = 100;

/// Between two looks at the lab.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// One deploy, while requests went on.
pub(super) struct Watched {
    /// The command.
    pub(super) deploy: Sample,
    /// From when it was run to when the last request was sent that the old version answered.
    pub(super) traffic: Duration,
    /// Requests that were not answered.
    pub(super) failures: usize,
    /// How many calls the lab had had before.
    pub(super) calls: u64,
    pub(super) servers: Servers,
}

/// When what was seen of servers, in seconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// The new ones, by id.
    pub(super) new: BTreeMap<String, Seen>,
    /// The old ones: when they were targets last.
    pub(super) old: BTreeMap<String, f64>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen {
    pub(super) launched: f64,
    pub(super) runs: Option<f64>,
    pub(super) healthy: Option<f64>,
}

impl Watched {
    pub(super) fn deploy(lab: &Lab, tool: &mut dyn Tool, page: &str) -> Result<Self> {
        let before = lab.status()?;
        let calls = before["calls"].as_u64().context("no number of calls")?;
        let old: Vec<String> = instances(&before).map(|(id, _)| id.to_owned()).collect();
        let front = tool.address().to_owned();
        let url = format!("http://{front}/");
        let address = Address::parse(&url).map_err(|why| anyhow!(why))?;
        let is_new = |request: &Request| request.answer().is_some_and(|text| text.contains(page));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| look(lab, &front, &old, &over));
            let load = Load::new(address, RATE).start();
            let begun = load.now();
            let deploy = tool.deploy();
            over.store(true, Ordering::Relaxed);
            let record = load.stop();
            // What it said comes before what nobody answered.
            let deploy = deploy?;
            let servers =
                looking.join().map_err(|_| anyhow!("looking at the lab ended early"))??;
            let answered =
                record.between(begun, Duration::MAX).filter(|one| one.answer().is_some());
            let (new, old): (Vec<&Request>, Vec<&Request>) = answered.partition(|one| is_new(one));
            ensure!(!new.is_empty(), "nothing was answered by the new version");
            ensure!(servers.new.len() == SERVERS, "other servers: {:?}", servers.new);
            let last =
                old.iter().map(|one| one.sent).max().context("nothing was answered before")?;
            Ok(Self {
                deploy,
                traffic: last.saturating_sub(begun),
                failures: record.failures().len(),
                calls,
                servers,
            })
        })
    }
}

/// Looks at the lab, and at what is behind one load balancer, until it is over.
fn look(lab: &Lab, front: &str, old: &[String], over: &AtomicBool) -> Result<Servers> {
    let mut servers = Servers::default();
    while !over.load(Ordering::Relaxed) {
        let status = lab.status()?;
        let now = now();
        for (id, state) in instances(&status).filter(|(id, _)| !old.iter().any(|one| one == id)) {
            let new = servers.new.entry(id.to_owned());
            let new = new.or_insert(Seen { launched: now, ..Seen::default() });
            if state == "running" {
                new.runs.get_or_insert(now);
            }
        }
        for (id, state) in targets(&status, front) {
            match servers.new.get_mut(id) {
                Some(new) if state == "healthy" => {
                    new.healthy.get_or_insert(now);
                }
                Some(_) => {}
                None => {
                    servers.old.insert(id.to_owned(), now);
                }
            }
        }
        std::thread::sleep(LOOKS_EVERY);
    }
    Ok(servers)
}

/// Ids and states.
fn instances(status: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = status["instances"].as_array().into_iter().flatten();
    all.filter_map(|one| Some((one["id"].as_str()?, one["state"].as_str()?)))
}

fn targets<'a>(status: &'a Value, front: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let balancers = status["balancers"].as_array().into_iter().flatten();
    let mine = balancers.filter(move |one| one["address"] == front);
    let all = mine.flat_map(|one| one["targets"].as_array().into_iter().flatten());
    all.filter_map(|target| target.as_str()?.split_once(' '))
}

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |time| time.as_secs_f64())
}
