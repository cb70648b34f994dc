use super::belongings::{Belongings, Kind, Thing};
use super::{Look, list, look};
use crate::aws::{Aws, Refusal};
use crate::builder::Inner;
use crate::run::{self, Age, Life, Remains};
use kiln_engine::Error;
use kiln_engine::driver::{Fate, Found, Output, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// How many are removed side by side: EC2 refuses what comes faster than some tens a second.
const AT_ONCE: usize = 8;

/// Removes what a survey gave up, each after what uses it. Everything is looked at once more before: a person has
/// read the survey in between, and what somebody uses since, or has taken our tags from, stays.
///
/// # Errors
/// For each that could not be removed, or is in use by now; one when the user asks to stop.
pub(super) async fn remove(
    inner: &Inner,
    found: &[Found],
    output: Output<'_>,
) -> Result<(), Vec<Error>> {
    // What is wanted is not among what a survey gave up: what is kept now is in use.
    let look = look(inner, &Wanted::default()).await.map_err(|error| vec![error])?;
    let (doomed, errors) = sort_out(found, &look.found, output);
    let mut removal = Removal { inner, output, errors, gone: BTreeSet::new() };
    tokio::select! {
        biased;
        () = inner.poller.interruption() => removal.errors.push(Error::interrupted()),
        () = removal.all(&look, &doomed) => {}
    }
    if removal.errors.is_empty() { Ok(()) } else { Err(removal.errors) }
}

type Doomed = BTreeMap<Kind, Vec<String>>;

/// What still is to go, and an error for each that somebody uses since.
fn sort_out(found: &[Found], now: &[Found], output: Output<'_>) -> (Doomed, Vec<Error>) {
    let fates: BTreeMap<&str, &Fate> =
        now.iter().map(|found| (found.id.as_str(), &found.fate)).collect();
    let (mut doomed, mut errors) = (Doomed::new(), Vec::new());
    for Found { id, kind, .. } in found {
        let kind = Kind::ALL.into_iter().find(|known| known.word() == *kind);
        match (fates.get(id.as_str()), kind) {
            (Some(Fate::Remove(_)), Some(kind)) => doomed.entry(kind).or_default().push(id.clone()),
            (Some(Fate::Keep(why)), _) => {
                let error = Error::environment(format!("`{id}` stays: {why}"));
                errors.push(error.help("this came up since it was listed: run `gc` again later"));
            }
            _ => output(&format!("`{id}` is gone already")),
        }
    }
    (doomed, errors)
}

struct Removal<'a> {
    inner: &'a Inner,
    output: Output<'a>,
    errors: Vec<Error>,
    gone: BTreeSet<String>,
}

impl Removal<'_> {
    async fn all(&mut self, look: &Look, doomed: &Doomed) {
        let Inner { aws, poller, runs, .. } = self.inner;
        if is_of_the_dead(look, doomed) {
            (self.output)("removing what bakes that died have written down");
            // With its journal: else the next bake looks for what is gone.
            let swept = Remains::find(runs, &aws.place()).sweep(aws, poller).await;
            self.errors.extend(swept.err().unwrap_or_default());
        }
        for (kind, ids) in doomed {
            let held = match kind {
                Kind::Snapshot => self.held(&look.belongings, doomed),
                _ => BTreeSet::new(),
            };
            let ids: Vec<&String> = ids.iter().filter(|id| !held.contains(id.as_str())).collect();
            for ids in ids.chunks(AT_ONCE) {
                self.some(*kind, ids).await;
            }
            if *kind == Kind::Instance {
                self.ended().await;
            }
        }
    }

    async fn some(&mut self, kind: Kind, ids: &[&String]) {
        let mut removals = JoinSet::new();
        for id in ids {
            let (aws, id) = (self.inner.aws.clone(), (*id).clone());
            removals.spawn(async move { (one(&aws, kind, &id).await, id) });
        }
        while let Some(removed) = removals.join_next().await {
            match removed {
                Ok((Ok(()), id)) => {
                    (self.output)(&format!("removed {} `{id}`", kind.word()));
                    self.gone.insert(id);
                }
                Ok((Err(error), _)) => self.errors.push(match error.help_text() {
                    Some(_) => error,
                    None => error.help("`gc --dry-run` says what uses it now"),
                }),
                Err(error) => {
                    let what = format!("a removal of {} ended early", kind.word());
                    self.errors.push(Error::environment(what).caused_by(error));
                }
            }
        }
    }

    /// Waits for the instances that are still ending. EC2 forgets those that are over: they are not waited for.
    async fn ended(&mut self) {
        let Inner { aws, poller, project, .. } = self.inner;
        match list::instances(aws, project).await {
            Ok(there) => {
                for Thing { id, .. } in there.iter().filter(|one| self.gone.contains(&one.id)) {
                    self.errors.extend(poller.terminated(id).await.err());
                }
            }
            Err(refusal) => self.errors.push(refusal.error("cannot see whether instances ended")),
        }
    }

    /// The snapshots of AMIs that should have gone and have not: EC2 would refuse each.
    fn held<'b>(&self, all: &'b Belongings, doomed: &Doomed) -> BTreeSet<&'b str> {
        let should_go = doomed.get(&Kind::Image).map_or(&[][..], Vec::as_slice);
        let stayed = |id: &String| should_go.contains(id) && !self.gone.contains(id);
        let images = all.images.iter().filter(|image| stayed(&image.thing.id));
        images.flat_map(|image| &image.snapshots).map(String::as_str).collect()
    }
}

/// Whether a bake of this store that died has made something of it.
fn is_of_the_dead(look: &Look, doomed: &Doomed) -> bool {
    let Belongings { instances, images, snapshots, volumes, groups, .. } = &look.belongings;
    let mut things = (instances.iter().chain(volumes).chain(groups))
        .chain(images.iter().map(|image| &image.thing))
        .chain(snapshots.iter().map(|snapshot| &snapshot.thing));
    things.any(|Thing { id, run, .. }| {
        look.judge.runs.life(run) == Life::Died && doomed.values().any(|ids| ids.contains(id))
    })
}

/// Removes one; it is no error when it is gone already.
async fn one(aws: &Aws, kind: Kind, id: &str) -> Result<(), Error> {
    if let Some(object) = kind.object() {
        return run::remove(aws, object, id, Age::Settled).await;
    }
    match aws.ec2.delete_volume().volume_id(id).send().await.map_err(Refusal::from) {
        Err(refusal) if !refusal.is_not_found() => {
            Err(refusal.error(&format!("cannot remove volume `{id}`")))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn found(id: &str, kind: &'static str, fate: Fate) -> Found {
        Found { id: id.into(), kind, name: String::new(), fate }
    }

    fn goes(id: &str, kind: &'static str) -> Found {
        found(id, kind, Fate::Remove("the recipes want it no more".into()))
    }

    #[test]
    fn what_somebody_uses_since_the_survey_stays_and_is_an_error() {
        let given_up = [goes("ami-1", "image"), goes("snap-1", "snapshot")];
        let used = Fate::Keep("instance `i-1` of it is pending".into());
        let now = [found("ami-1", "image", used), goes("snap-1", "snapshot")];
        let (doomed, errors) = sort_out(&given_up, &now, &|_| {});
        assert_eq!(doomed, Doomed::from([(Kind::Snapshot, vec!["snap-1".to_owned()])]));
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].chain(), "`ami-1` stays: instance `i-1` of it is pending");
    }

    #[test]
    fn what_is_gone_or_bears_our_tags_no_more_is_not_touched() {
        let said = Mutex::new(Vec::new());
        let output = |line: &str| said.lock().unwrap().push(line.to_owned());
        let (doomed, errors) = sort_out(&[goes("vol-1", "volume")], &[], &output);
        assert!(doomed.is_empty() && errors.is_empty());
        assert_eq!(*said.lock().unwrap(), ["`vol-1` is gone already"]);
    }

    #[test]
    fn each_goes_after_what_uses_it() {
        let given_up = [
            goes("sg-1", "security group"),
            goes("vol-1", "volume"),
            goes("snap-1", "snapshot"),
            goes("ami-1", "image"),
            goes("i-1", "instance"),
        ];
        let (doomed, _) = sort_out(&given_up, &given_up, &|_| {});
        let order: Vec<&str> = doomed.values().flatten().map(String::as_str).collect();
        assert_eq!(order, ["i-1", "ami-1", "snap-1", "vol-1", "sg-1"]);
    }
}
