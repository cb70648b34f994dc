use super::names::Names;
use super::refused::explained;
use super::template::remove_version;
use super::world::is_going;
use crate::aws::{Aws, Refusal};
use crate::builder::Inner;
use crate::run::{Age, Object, remove};
use crate::wait::{Kind, Seen};
use kiln_engine::Error;
use kiln_engine::driver::Output;
use std::time::{Duration, Instant};

/// How long a removal waits for what uses the thing to end.
const FREE_WITHIN: Duration = Duration::from_secs(600);

/// Removes a generation: its servers are ending when this returns.
pub(super) async fn generation(
    inner: &Inner,
    deployment: &str,
    generation: u32,
    output: Output<'_>,
) -> Result<(), Error> {
    let names = Names { project: &inner.project, deployment };
    let stay = inner.left.stay(&names.group(generation));
    if !stay.is_zero() {
        let seconds = stay.as_secs();
        output(&format!("its servers stay for {seconds} s: the load balancer may still ask them"));
        tokio::time::sleep(stay).await;
    }
    // The group goes last: by it a removal that has ended half-way is seen, and done again. Nobody launches by the version
    // any more.
    remove_version(&inner.aws, &names.template(), generation).await?;
    group(inner, &names.group(generation)).await
}

/// For how long a group must be said not to be there: one that was made a moment ago may be out of sight.
const SETTLES: Duration = Duration::from_secs(3);

/// Removes a group with its servers; returns when both are ending.
pub(super) async fn group(inner: &Inner, name: &str) -> Result<(), Error> {
    let what = format!("cannot remove the Auto Scaling group `{name}`");
    let autoscaling = &inner.aws.autoscaling;
    let call = autoscaling.delete_auto_scaling_group().auto_scaling_group_name(name);
    let call = call.force_delete(true);
    let begun = Instant::now();
    while freed(&what, async || Ok(call.clone().send().await.map(drop)?)).await? == Gone::Before {
        if begun.elapsed() > SETTLES {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let mut follower = inner.poller.follow(Kind::Group, name).of_known();
    loop {
        // Also after the user has asked to stop: what is removed is removed whole.
        match follower.next().await.map_err(|refusal| explained(&refusal, &what))? {
            Seen::Group(seen) if !is_going(&seen.group) && !seen.group.instances().is_empty() => {}
            _ => return Ok(()),
        }
    }
}

/// Removes a load balancer with its listeners.
pub(super) async fn balancer(aws: &Aws, arn: &str) -> Result<(), Error> {
    let call = aws.elb.delete_load_balancer().load_balancer_arn(arn);
    let what = format!("cannot remove the load balancer `{arn}`");
    freed(&what, async || Ok(call.clone().send().await.map(drop)?)).await.map(drop)
}

/// Removes a target group.
pub(super) async fn target_group(aws: &Aws, arn: &str) -> Result<(), Error> {
    let call = aws.elb.delete_target_group().target_group_arn(arn);
    let what = format!("cannot remove the target group `{arn}`");
    freed(&what, async || Ok(call.clone().send().await.map(drop)?)).await.map(drop)
}

/// Removes a security group, once the interfaces in it are gone: those of a load balancer go minutes after it.
pub(super) async fn security(aws: &Aws, id: &str) -> Result<(), Error> {
    remove(aws, Object::SecurityGroup, id, Age::Settled).await
}

/// Whether something was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Now,
    Before,
}

/// Codes of what something that is ending still uses, or that is being changed.
const IN_USE: [&str; 5] = [
    "ResourceInUse",
    "ResourceInUseException",
    "ResourceInUseFault",
    "ScalingActivityInProgress",
    "ResourceContention",
];

/// Makes a call that removes something, again while something uses it.
async fn freed<Calling>(what: &str, call: impl Fn() -> Calling) -> Result<Gone, Error>
where
    Calling: Future<Output = Result<(), Refusal>>,
{
    let begun = Instant::now();
    let mut pause = Duration::from_millis(200);
    loop {
        let Err(refusal) = call().await else { return Ok(Gone::Now) };
        let is_gone = refusal.is_not_found()
            || refusal.code() == "ValidationError" && refusal.message().contains("not found");
        if is_gone {
            return Ok(Gone::Before);
        }
        let waits = IN_USE.contains(&refusal.code()) || refusal.is_passing();
        if !waits || begun.elapsed() > FREE_WITHIN {
            return Err(explained(&refusal, what));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn what_is_in_use_is_removed_when_it_is_not_any_more() {
        let calls = AtomicU32::new(0);
        let call = async || match calls.fetch_add(1, Ordering::Relaxed) {
            0 => {
                Err(Refusal::of("ResourceInUse", "Target group is currently in use by a listener"))
            }
            _ => Ok(()),
        };
        assert_eq!(freed("cannot", call).await.unwrap(), Gone::Now);
        assert_eq!(calls.into_inner(), 2);
    }

    #[tokio::test]
    async fn what_is_gone_is_no_error_and_what_is_forbidden_is_one() {
        for code in ["TargetGroupNotFound", "LoadBalancerNotFound"] {
            let call = async || Err(Refusal::of(code, "it is not there"));
            assert_eq!(freed("cannot", call).await.unwrap(), Gone::Before);
        }
        let call = async || Err(Refusal::of("AccessDenied", "not authorized"));
        let error = freed("cannot remove", call).await.unwrap_err();
        assert!(error.help_text().unwrap().contains("docs/deployments.md"));
        let message = "Load balancer 'x' cannot be deleted because deletion protection is enabled";
        let call = async || Err(Refusal::of("OperationNotPermitted", message));
        let error = freed("cannot remove", call).await.unwrap_err();
        assert!(error.help_text().unwrap().contains("protected"));
    }
}
