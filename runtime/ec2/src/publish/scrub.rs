use crate::session::{WORK, quote};
use kiln_engine::Error;
use kiln_engine::driver::Output;
use kiln_ssh::{ErrorKind, Exec, Machine, Op, OpFailed};
use std::time::Duration;

/// How long it may take: it looks at the whole disk's logs and homes.
const LONGEST: Duration = Duration::from_secs(600);

/// Removes from a machine what must not be in an image, looks that it is gone, and writes everything to the
/// disk. `Some`: the error that names each thing which is still there.
///
/// # Errors
/// When the machine cannot be asked any more.
pub(crate) async fn scrub(
    machine: &mut Machine,
    public_key: &str,
    output: Output<'_>,
) -> Result<Option<Error>, Error> {
    // The key itself: what follows is a comment, and differs from place to place.
    let key = public_key.split(' ').nth(1).unwrap_or(public_key);
    let mut exec = Exec::shell(format!(
        "key={} work={}\nset +e\n{}",
        quote(key),
        quote(WORK),
        include_str!("scrub.sh")
    ));
    exec.time_limit = Some(LONGEST);
    let ended = machine.run(&[Op::Exec(exec)], &Lines(output)).await;
    let Err(OpFailed { error, .. }) = ended else { return Ok(None) };
    match error.kind() {
        ErrorKind::Failed { .. } => Ok(Some(
            Error::input("the machine is not clean enough to be an image")
                .help("stop in the recipe what writes it, or remove it in the last layer")
                .output(error.output_lines().to_vec()),
        )),
        _ => Err(crate::ssh::in_our_words(error)),
    }
}

/// Passes on what an op prints.
pub(crate) struct Lines<'a>(pub(crate) Output<'a>);

impl kiln_ssh::Progress for Lines<'_> {
    fn started(&self, _: usize) {}

    fn line(&self, _: usize, line: &str) {
        (self.0)(line);
    }
}
