use super::network::{Answer, connect, get, in_network_of};
use super::started::Started;
use kiln::{Limits, Probe};
use std::time::Duration;

/// How one try of a probe ended.
pub(super) enum Attempt {
    Passed,
    Failed(Failed),
}

/// Why not, in one line, and what it printed or received.
pub(super) struct Failed {
    pub(super) why: String,
    pub(super) output: Vec<String>,
}

/// A try of its own may take this long, however long the test may: a service that hangs while it starts
/// is asked again.
const LONGEST_TRY: Duration = Duration::from_secs(10);

/// Tries a probe once.
pub(super) async fn attempt(started: &mut Started, probe: &Probe, left: Duration) -> Attempt {
    let failed = |why: String, output: Vec<String>| Attempt::Failed(Failed { why, output });
    let time = left.clamp(Duration::from_millis(500), LONGEST_TRY);
    match probe {
        Probe::Run(script) => {
            let left = left.max(Duration::from_secs(1)).as_millis();
            let limits = Limits { time_ms: u64::try_from(left).ok(), memory: None };
            match started.run(script, limits).await {
                Ok(()) => Attempt::Passed,
                Err(error) => failed(error.chain(), error.output_lines().to_vec()),
            }
        }
        Probe::Http { url, status, body } => {
            let (url, text) = (url.clone(), body.clone());
            let Some(init) = started.init() else { return failed("nothing runs".into(), vec![]) };
            match in_network_of(init, move || get(&url, time)).await {
                Err(why) => failed(why, vec![]),
                Ok(Answer { status: got, body }) => {
                    let lines = || body.lines().take(100).map(str::to_owned).collect();
                    match text {
                        _ if got != *status => failed(
                            format!("answered with status {got}, expected {status}"),
                            lines(),
                        ),
                        Some(text) if !body.contains(&text) => {
                            failed(format!("the answer does not contain `{text}`"), lines())
                        }
                        _ => Attempt::Passed,
                    }
                }
            }
        }
        Probe::Tcp(port) => {
            let port = *port;
            let Some(init) = started.init() else { return failed("nothing runs".into(), vec![]) };
            match in_network_of(init, move || connect(port, time)).await {
                Ok(()) => Attempt::Passed,
                Err(why) => failed(why, vec![]),
            }
        }
    }
}
