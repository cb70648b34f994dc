use crate::ssh::in_our_words;
use kiln::Probe;
use kiln_engine::Error;
use kiln_engine::driver::TestPlan;
use kiln_ssh::{ErrorKind, Exec, Machine, Op, OpFailed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Why a try failed, in one line, and what it printed or received.
pub(super) struct Failed {
    pub(super) why: String,
    pub(super) output: Vec<String>,
}

/// A try of its own may take this long, however long the test may: a service that hangs while it starts is
/// asked again.
const LONGEST_TRY: Duration = Duration::from_secs(10);

/// How much of an answer a failure shows.
const SHOWN: usize = 100;

/// Tries a probe once; `None`: it passed.
///
/// # Errors
/// When the machine cannot be asked any more.
pub(super) async fn attempt(
    machine: &mut Machine,
    plan: &TestPlan,
    probe: &Probe,
    left: Duration,
) -> Result<Option<Failed>, Error> {
    let time = left.clamp(Duration::from_millis(500), LONGEST_TRY);
    match probe {
        Probe::Run(script) => {
            let mut exec = Exec::shell(script.clone());
            exec.env = plan.env.clone();
            exec.time_limit = Some(left.max(Duration::from_secs(1)));
            run(machine, exec).await
        }
        Probe::Tcp(port) => {
            let asked = ask(machine, "tcp", &port.to_string(), time).await?;
            Ok(asked.err().map(|why| Failed {
                why: format!("port {port} does not accept a connection: {why}"),
                output: vec![],
            }))
        }
        Probe::Http { url, status, body } => {
            let answer = match ask(machine, "http", url, time).await? {
                Ok(answer) => answer,
                Err(why) => {
                    let why = format!("no answer from {url}: {why}");
                    return Ok(Some(Failed { why, output: vec![] }));
                }
            };
            let (got, text) = answer.split_once('\n').unwrap_or((&answer, ""));
            let why = match body {
                _ if got != status.to_string() => {
                    format!("answered with status {got}, expected {status}")
                }
                Some(wanted) if !text.contains(wanted) => {
                    format!("the answer does not contain `{wanted}`")
                }
                _ => return Ok(None),
            };
            let output = text.lines().take(SHOWN).map(ToOwned::to_owned).collect();
            Ok(Some(Failed { why, output }))
        }
    }
}

async fn run(machine: &mut Machine, exec: Exec) -> Result<Option<Failed>, Error> {
    match machine.run(&[Op::Exec(exec)], &()).await {
        Ok(()) => Ok(None),
        Err(OpFailed { error, .. }) => match error.kind() {
            ErrorKind::Failed { status } => Ok(Some(Failed {
                why: format!("command exited with status {status}"),
                output: error.output_lines().to_vec(),
            })),
            ErrorKind::TimeLimit(time) => Ok(Some(Failed {
                why: format!("ran out of time after {}", crate::session::duration(time)),
                output: error.output_lines().to_vec(),
            })),
            _ => Err(in_our_words(error)),
        },
    }
}

/// Has the machine ask itself: the answer, or why there is none. By Python, which whoever has cloud-init has.
async fn ask(
    machine: &mut Machine,
    what: &str,
    place: &str,
    time: Duration,
) -> Result<Result<String, String>, Error> {
    let seconds = time.as_secs_f64().to_string();
    let mut exec =
        Exec::argv(["python3", "-I", "-c", include_str!("ask.py"), what, place, &seconds]);
    exec.time_limit = Some(time + Duration::from_secs(5));
    let last = Mutex::new(String::new());
    let note =
        |line: &str| line.clone_into(&mut last.lock().unwrap_or_else(PoisonError::into_inner));
    match machine.output(exec, &note).await {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => match error.kind() {
            ErrorKind::Failed { status: 127 } => {
                Err(Error::input("the image has no `python3`, by which the machine asks itself")
                    .help("write the test as `run: \"…\"`, with a program that the image has"))
            }
            ErrorKind::Failed { .. } => {
                let last = last.into_inner().unwrap_or_else(PoisonError::into_inner);
                Ok(Err(if last.is_empty() { error.to_string() } else { last }))
            }
            ErrorKind::TimeLimit(_) => Ok(Err("it took too long".to_owned())),
            _ => Err(in_our_words(error)),
        },
    }
}
