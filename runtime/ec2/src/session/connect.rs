use crate::builder::Inner;
use crate::launch::{LOGIN, Launched, PORT};
use crate::ssh::in_our_words;
use kiln_engine::Error;
use kiln_engine::driver::Output;
use kiln_ssh::{CloudInit, ErrorKind, Machine, Target};
use std::net::SocketAddr;

/// How much of a machine's console an error shows.
const CONSOLE: usize = 40;

/// Connects to a machine that was launched here, when its first boot is over.
///
/// # Errors
/// When it cannot be reached in time; the end of its console is in the error.
pub(crate) async fn connect(
    inner: &Inner,
    launched: &Launched,
    output: Output<'_>,
) -> Result<Machine, Error> {
    let target = Target {
        address: SocketAddr::new(launched.address, PORT),
        user: LOGIN.into(),
        key: launched.login.clone(),
        host_key: launched.host.host_key(),
    };
    let machine = match Machine::connect(target, inner.patience(), output).await {
        Ok(machine) => machine,
        Err(error) => {
            let timed_out = matches!(error.kind(), ErrorKind::TimedOut(_));
            let error = in_our_words(error);
            if !timed_out {
                return Err(error);
            }
            let lines = console(inner, launched.id()).await;
            return Err(if lines.is_empty() { error } else { error.output(lines) });
        }
    };
    if let CloudInit::Failed { status, log } = machine.cloud_init() {
        output(&format!("cloud-init ended with errors (status {status})"));
        log.iter().for_each(|line| output(line));
    }
    Ok(machine)
}

/// The end of what a machine has printed on its console, as far as EC2 has it.
async fn console(inner: &Inner, id: &str) -> Vec<String> {
    use base64::Engine;
    let answer = inner.aws.ec2.get_console_output().instance_id(id).latest(true).send().await;
    let Ok(answer) = answer else { return Vec::new() };
    let text = answer.output.unwrap_or_default().replace(['\n', '\r'], "");
    let bytes = base64::prelude::BASE64_STANDARD.decode(text).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(CONSOLE)..];
    let mut shown: Vec<String> = last.iter().map(|line| (*line).to_owned()).collect();
    if !shown.is_empty() {
        shown.insert(0, "--- console of the machine ---".to_owned());
    }
    shown
}
