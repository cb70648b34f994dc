use crate::bench::cloud::Cloud;
use crate::bench::measure;
use anyhow::{Context, Result, anyhow};
use kiln_load::Address;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// Sends a text to a URL.
const POST: &str = "import sys, urllib.request as u; u.urlopen(sys.argv[1], sys.argv[2].encode())";

/// When nginx began to answer, in seconds since 1970.
const ANSWERS: &str = "date --date \"$(systemctl show --value --property ActiveEnterTimestamp --timestamp us+utc nginx)\" +%s.%N";

/// What a lab says of itself.
#[derive(Debug, Clone)]
pub(super) struct Lab {
    endpoint: String,
    python: PathBuf,
}

impl Lab {
    pub(super) fn new(cloud: &Cloud) -> Result<Self> {
        let endpoint = cloud.environment().find(|(name, _)| *name == "AWS_ENDPOINT_URL");
        let (_, endpoint) = endpoint.context("the lab does not say where it answers")?;
        Ok(Self { endpoint: endpoint.to_owned(), python: cloud.python().to_owned() })
    }

    /// Divides EC2's latencies by this from now on; 0: there are none.
    pub(super) fn divide(&self, divisor: u32) -> Result<()> {
        let mut post = Command::new(&self.python);
        post.args(["-c", POST, &format!("{}/_lab/misbehaviour", self.endpoint)]);
        measure::run(post.arg(format!("{{\"latency_divisor\": {divisor}}}"))).map(drop)
    }

    /// Instances, load balancers with their targets, and how many calls there were.
    pub(super) fn status(&self) -> Result<Value> {
        self.ask("status")
    }

    /// When, in seconds since 1970, calls of this action were answered, after so many calls of any.
    pub(super) fn answered(&self, action: &str, since: u64) -> Result<Vec<f64>> {
        let calls = self.ask(&format!("calls?since={since}"))?;
        let calls = calls["calls"].as_array().context("no calls")?.iter();
        let of_it = calls.filter(|call| call["action"] == action && call["code"].is_null());
        Ok(of_it.filter_map(|call| call["time"].as_f64()).collect())
    }

    /// When the server of an instance began to answer, in seconds since 1970.
    pub(super) fn serves_since(&self, instance: &str) -> Result<f64> {
        let console = self.ask(&format!("console/{instance}"))?;
        let argv = console["argv"].as_array().context("no console")?.iter();
        let argv: Vec<&str> = argv.filter_map(Value::as_str).collect();
        let (program, arguments) = argv.split_first().context("no console")?;
        let said = measure::run(Command::new(program).args(arguments).args(["-c", ANSWERS]))?;
        said.stdout.trim().parse().with_context(|| format!("no time: {}", said.stdout))
    }

    fn ask(&self, path: &str) -> Result<Value> {
        let url = format!("{}/_lab/{path}", self.endpoint);
        let address = Address::parse(&url).map_err(|why| anyhow!(why))?;
        let text = kiln_load::get(&address).with_context(|| format!("no answer from `{url}`"))?;
        serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))
    }
}
