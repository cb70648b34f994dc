use crate::aws::{Refusal, VISIBLE_WITHIN};
use std::time::{Duration, Instant};

/// Makes a call that needs what was just made, again and again while something is said not to be there. Auto Scaling
/// and load balancers do not always say what. What a person has `named` is there or it is not.
///
/// # Errors
/// Any other refusal, at once; this one, when everything should long have been visible.
pub(super) async fn once_seen<T, Calling>(
    named: &[String],
    call: impl Fn() -> Calling,
) -> Result<T, Refusal>
where
    Calling: Future<Output = Result<T, Refusal>>,
{
    let begun = Instant::now();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let mut pause = Duration::from_millis(200);
    loop {
        match call().await {
            Err(refusal)
                if is_unseen(&refusal)
                    && !refusal.names(&named)
                    && begun.elapsed() < VISIBLE_WITHIN => {}
            ended => return ended,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

fn is_unseen(refusal: &Refusal) -> bool {
    let says = |text: &&str| refusal.message().contains(*text);
    refusal.is_not_found()
        // Of load balancers, for a security group that was made a moment ago.
        || refusal.code() == "InvalidSecurityGroup"
        || refusal.code() == "ValidationError"
            && ["does not exist", "not found", "Could not find", "may not be valid"].iter().any(says)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn unseen(id: &str) -> Refusal {
        Refusal::of("ValidationError", format!("The launch template '{id}' does not exist"))
    }

    #[tokio::test]
    async fn what_auto_scaling_does_not_see_yet_is_asked_for_again() {
        let calls = AtomicU32::new(0);
        let version = "Could not find the specified version 2 for the launch template 'lt-1'";
        let call = async || match calls.fetch_add(1, Ordering::Relaxed) {
            0 => Err(unseen("lt-1")),
            1 => Err(Refusal::of("ValidationError", version)),
            _ => Ok(()),
        };
        assert_eq!(once_seen(&["subnet-1".into()], call).await, Ok(()));
        assert_eq!(calls.into_inner(), 3);
    }

    #[tokio::test]
    async fn what_a_person_named_wrongly_is_told_at_once() {
        let call = async || Err::<(), _>(unseen("subnet-1"));
        assert_eq!(once_seen(&["subnet-1".into()], call).await, Err(unseen("subnet-1")));
        let call = async || Err::<(), _>(Refusal::of("ValidationError", "max is below min"));
        assert!(once_seen(&[], call).await.is_err());
    }
}
