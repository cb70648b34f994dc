use super::asking::{Asking, once};
use super::health::{Evidence, address, server};
use super::observe::{generation, number};
use super::tally::Told;
use super::works::Works;
use super::world::is_going;
use crate::aws::Refusal;
use crate::wait::{Failure, Follower, Group, Kind, Seen, Targets, group, target_health};
use aws_sdk_ec2::types::{Instance, InstanceStateName};
use kiln::LoadBalancer;
use kiln_engine::Error;
use kiln_engine::driver::{Generation, Judge, Waited};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a failed launch may be the last thing that Auto Scaling tried. It goes on in another zone, where there is one,
/// within some ten seconds; trying the same again takes it minutes.
const TRIES_AGAIN_WITHIN: Duration = Duration::from_secs(30);

/// How many reads must not show a group, one after the other, until it counts as not there.
const AGREEING: u32 = 3;

/// How long a watch may take until it knows of every server what there is to know. Until then nothing is judged: servers
/// that have not been asked are not servers that do not answer.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);

/// What a watch has seen so far.
struct Watch<'a> {
    works: Works<'a>,
    begun: Instant,
    group: Option<Arc<Group>>,
    /// Of each target group that it is attached to.
    targets: BTreeMap<String, (Follower, Option<Arc<Targets>>)>,
    asking: Option<Asking>,
    failed: Option<(Failure, Instant)>,
    /// The failed launch that was the last one when the group was read first, if it has servers: what it failed for may have
    /// been put right since. Empty: there was none.
    old: Option<String>,
}

impl Works<'_> {
    /// Looks at a generation until `judge` has seen enough.
    pub(super) async fn watch(
        self,
        generation: u32,
        within: Duration,
        judge: Judge<'_>,
    ) -> Result<Waited, Error> {
        if within.is_zero() {
            let seen = self.look(generation).await?;
            let is_enough = judge(seen.as_ref());
            return Ok(if is_enough { Waited::Seen(seen) } else { Waited::OutOfTime(seen) });
        }
        let name = self.names().group(generation);
        let mut follower = self.inner.poller.follow(Kind::Group, &name);
        let is_told_later = self.deployment.load_balancer.is_some();
        let asking = self.deployment.health.clone().filter(|_| !self.is_shut_out());
        let answers = &self.inner.answers;
        let asking = asking.map(|health| Asking::new(health, is_told_later, answers.clone()));
        let mut watch = Watch {
            works: self,
            begun: Instant::now(),
            group: None,
            targets: BTreeMap::new(),
            asking,
            failed: None,
            old: None,
        };
        let (mut last, mut has_looked) = (None, false);
        let over = tokio::time::sleep(within);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = &mut over => {
                    let last = if has_looked { last } else { self.look(generation).await? };
                    return Ok(Waited::OutOfTime(last));
                }
                seen = follower.next() => watch.take(seen)?,
                seen = next(watch.targets.values_mut().next()) => seen.map_err(|refusal| {
                    self.refused(refusal, "see the health")
                })?,
                () = answer(watch.asking.as_ref()), if watch.group.is_some() => {}
            }
            (last, has_looked) = (watch.generation(), true);
            if watch.is_known() && judge(last.as_ref()) {
                return Ok(Waited::Seen(last));
            }
            watch.give_up()?;
        }
    }

    /// A generation as it is now.
    async fn look(self, number: u32) -> Result<Option<Generation>, Error> {
        let told = |refusal: Refusal| self.refused(refusal, "see the servers");
        let name = self.names().group(number);
        let mut reads = 0;
        let group = loop {
            reads += 1;
            if let Some(group) = group(self.aws(), &name).await.map_err(told)? {
                break group;
            }
            if reads == AGREEING {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        if is_going(&group.group) {
            return Ok(None);
        }
        let arns = group.group.target_group_arns();
        let targets = target_health(self.aws(), arns).await.map_err(told)?;
        let mut asked = match &self.deployment.health {
            Some(health) if arns.is_empty() && !self.is_shut_out() => {
                once(health, &addresses(&group)).await
            }
            _ => BTreeMap::new(),
        };
        for (server, _) in asked.iter().filter(|(_, told)| matches!(told, Told::Unhealthy(_))) {
            self.inner.answers.forget(server);
        }
        Ok(self.told(&group, &targets.values().collect::<Vec<_>>(), |id, _| asked.remove(id)))
    }

    /// Whether nothing can be asked of its servers from here: they let in their load balancer alone, which
    /// `servers_security` sees to.
    fn is_shut_out(self) -> bool {
        let is_made = matches!(self.deployment.load_balancer, Some(LoadBalancer::Made(_)));
        is_made && self.target().security_groups.is_empty()
    }

    /// A generation with the health of its servers.
    fn told(
        self,
        group: &Group,
        targets: &[&Targets],
        mut told: impl FnMut(&str, Option<&str>) -> Option<Told>,
    ) -> Option<Generation> {
        number(&group.group)?;
        let servers = group.group.instances().iter().map(|member| {
            let id = member.instance_id().unwrap_or_default();
            let instance = group.instances.get(id);
            server(&Evidence {
                member,
                instance,
                checks: group.checks.get(id).copied(),
                targets: targets.to_vec(),
                told: told(id, instance.filter(|one| runs(one)).and_then(address)),
                is_told_later: self.deployment.load_balancer.is_some(),
            })
        });
        generation(&group.group, group.instances.values(), servers.collect())
    }
}

/// Whether it can be asked: its address is known before.
fn runs(instance: &Instance) -> bool {
    instance.state().and_then(|state| state.name()) == Some(&InstanceStateName::Running)
}

fn addresses(group: &Group) -> BTreeMap<String, String> {
    let pair = |(id, one): (&String, &_)| Some((id.clone(), address(one)?.to_owned()));
    group.instances.iter().filter_map(pair).collect()
}

/// The next look at a target group, which is kept.
async fn next(of: Option<&mut (Follower, Option<Arc<Targets>>)>) -> Result<(), Refusal> {
    let Some((follower, targets)) = of else { return std::future::pending().await };
    *targets = read(follower.next().await?);
    Ok(())
}

async fn answer(asking: Option<&Asking>) {
    match asking {
        Some(asking) => asking.answer().await,
        None => std::future::pending().await,
    }
}

fn read(seen: Seen) -> Option<Arc<Targets>> {
    match seen {
        Seen::Targets(targets) => Some(targets),
        _ => None,
    }
}

impl Watch<'_> {
    fn take(&mut self, seen: Result<Seen, Refusal>) -> Result<(), Error> {
        let seen = seen.map_err(|refusal| self.works.refused(refusal, "see the servers"))?;
        self.group = match seen {
            Seen::Group(group) if !is_going(&group.group) => Some(group),
            _ => None,
        };
        let arns = self.group.as_ref().map_or(&[][..], |group| group.group.target_group_arns());
        self.targets.retain(|arn, _| arns.contains(arn));
        for arn in arns {
            let poller = &self.works.inner.poller;
            let known = self.targets.entry(arn.clone());
            let (follower, targets) =
                known.or_insert_with(|| (poller.follow(Kind::Targets, arn), None));
            let latest = follower.latest();
            let latest = latest.map_err(|refusal| self.works.refused(refusal, "see the health"))?;
            if let Some(seen) = latest {
                *targets = read(seen);
            }
        }
        let failure = self.group.as_ref().and_then(|group| group.failure.clone());
        if let (None, Some(group)) = (&self.old, &self.group) {
            let is_begun = !group.group.instances().is_empty();
            let id = failure.as_ref().filter(|_| is_begun).map(|failure| failure.id.clone());
            self.old = Some(id.unwrap_or_default());
        }
        let failure = failure.filter(|failure| self.old.as_ref() != Some(&failure.id));
        self.failed = match (failure, self.failed.take()) {
            (Some(failure), Some((known, since))) if known.message == failure.message => {
                Some((failure, since))
            }
            (Some(failure), _) => Some((failure, Instant::now())),
            (None, _) => None,
        };
        Ok(())
    }

    fn generation(&mut self) -> Option<Generation> {
        let group = Arc::clone(self.group.as_ref()?);
        // One that has not been read yet shows none of its servers.
        let unread = Targets::new();
        let targets = self.targets.values().map(|(_, seen)| seen.as_deref().unwrap_or(&unread));
        let targets: Vec<&Targets> = targets.collect();
        // What its target groups say counts, once there are any.
        let mut asking = self.asking.as_mut().filter(|_| self.targets.is_empty());
        self.works.told(&group, &targets, |id, address| {
            let asking = asking.as_mut()?;
            Some(address.map_or(Told::NotYet, |address| asking.of(id, address)))
        })
    }

    /// Whether everything that can be said of its servers by now has been read.
    fn is_known(&self) -> bool {
        let is_read = self.targets.values().all(|(_, seen)| seen.is_some());
        let is_answered = match &self.asking {
            Some(asking) if self.targets.is_empty() => asking.is_settled(),
            _ => true,
        };
        is_read && is_answered || self.begun.elapsed() >= KNOWN_WITHIN
    }

    /// Ends a watch of servers that Auto Scaling cannot start: it goes on trying, for longer than anybody waits.
    fn give_up(&self) -> Result<(), Error> {
        let Some((failure, since)) = &self.failed else { return Ok(()) };
        if since.elapsed() < TRIES_AGAIN_WITHIN {
            return Ok(());
        }
        let code = ["InsufficientInstanceCapacity", "VcpuLimitExceeded", "InvalidAMIID.NotFound"];
        let code = code.into_iter().find(|code| failure.message.contains(code));
        let refusal = Refusal::of(code.unwrap_or("LaunchFailed"), failure.message.as_str());
        Err(self.works.refused(refusal, "start the servers"))
    }
}
