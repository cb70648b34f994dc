use super::Refusal;
use std::time::{Duration, Instant};

/// How long something that was just made may stay out of sight of reads, and of calls that name it
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>).
pub(crate) const VISIBLE_WITHIN: Duration = Duration::from_secs(90);

/// Makes a call that names what was just made, again and again while it is said not to be there.
///
/// # Errors
/// Any other refusal, at once; this one, when it should long have been visible.
pub(crate) async fn once_visible<T, Calling>(
    made: &[&str],
    call: impl Fn() -> Calling,
) -> Result<T, Refusal>
where
    Calling: Future<Output = Result<T, Refusal>>,
{
    let begun = Instant::now();
    let mut pause = Duration::from_millis(200);
    loop {
        match call().await {
            Err(refusal)
                if refusal.is_not_found()
                    && refusal.names(made)
                    && begun.elapsed() < VISIBLE_WITHIN => {}
            ended => return ended,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn not_there() -> Refusal {
        Refusal::of("InvalidGroup.NotFound", "The security group 'sg-1' does not exist")
    }

    #[tokio::test]
    async fn what_was_just_made_is_asked_for_until_it_is_seen() {
        let calls = AtomicU32::new(0);
        let call = async || match calls.fetch_add(1, Ordering::Relaxed) {
            0 => Err(not_there()),
            _ => Ok("seen"),
        };
        assert_eq!(once_visible(&["sg-1"], call).await, Ok("seen"));
        assert_eq!(calls.into_inner(), 2);
    }

    #[tokio::test]
    async fn what_somebody_else_named_is_not_there_at_once() {
        let calls = AtomicU32::new(0);
        let call = async || {
            calls.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(not_there())
        };
        assert_eq!(once_visible(&["sg-2"], call).await, Err(not_there()));
        assert_eq!(calls.into_inner(), 1);
    }
}
