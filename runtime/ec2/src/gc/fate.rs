use super::belongings::{Belongings, ImageThing, SnapshotThing, Thing};
use super::users::Users;
use crate::run::{Life, Object, Runs};
use kiln_engine::driver::{Fate, Found};
use std::collections::{BTreeMap, BTreeSet};

/// What decides over what Kiln made.
pub(super) struct Judge {
    /// The keys that the recipes would look for.
    pub(super) wanted: BTreeSet<String>,
    pub(super) users: Users,
    /// The runs that this store knows.
    pub(super) runs: Runs,
    /// Who asks: `user@host`.
    pub(super) owner: String,
    /// Seconds since 1970.
    pub(super) now: u64,
}

/// What a kind of thing is to the journal.
pub(super) fn object(kind: &str) -> Option<Object> {
    match kind {
        "instance" => Some(Object::Instance),
        "image" => Some(Object::Image),
        "snapshot" => Some(Object::Snapshot),
        "security group" => Some(Object::SecurityGroup),
        _ => None,
    }
}

impl Judge {
    /// Says of each thing what is to happen to it.
    pub(super) fn judge(&self, all: &Belongings) -> Vec<Found> {
        let mut found = Vec::new();
        let mut say = |kind: &'static str, thing: &Thing, fate: Fate| {
            let Thing { id, name, .. } = thing.clone();
            found.push(Found { id, kind, name, fate });
        };
        let newest = newest(all);
        for instance in &all.instances {
            say("instance", instance, self.passing(instance, "it bakes"));
        }
        let mut standing: BTreeMap<&str, (&ImageThing, bool)> = BTreeMap::new();
        for image in &all.images {
            let fate = self.image(image, &newest);
            let goes = matches!(fate, Fate::Remove(_));
            for snapshot in &image.snapshots {
                // One AMI that stays is enough for its snapshot to stay.
                let seen = standing.entry(snapshot).or_insert((image, goes));
                if !goes {
                    *seen = (image, false);
                }
            }
            say("image", &image.thing, fate);
        }
        for snapshot in &all.snapshots {
            say("snapshot", &snapshot.thing, self.snapshot(snapshot, &standing, &newest));
        }
        for group in &all.groups {
            say("security group", group, self.passing(group, "a machine that bakes is in it"));
        }
        found
    }

    fn image(&self, image: &ImageThing, newest: &BTreeMap<&str, &str>) -> Fate {
        let thing = &image.thing;
        if let Some(user) = self.users.0.get(&thing.id) {
            return Fate::Keep(user.clone());
        }
        match &thing.key {
            None => self.passing(thing, "a machine is being launched from it"),
            Some(key) => self.kept_by_key(thing, key, newest),
        }
    }

    fn snapshot(
        &self,
        snapshot: &SnapshotThing,
        standing: &BTreeMap<&str, (&ImageThing, bool)>,
        newest: &BTreeMap<&str, &str>,
    ) -> Fate {
        let thing = &snapshot.thing;
        if snapshot.failed {
            return Fate::Remove("EC2 could not complete it".into());
        }
        match (standing.get(thing.id.as_str()), &thing.key) {
            (Some((image, false)), _) => Fate::Keep(format!("`{}` stands on it", image.thing.id)),
            (Some((image, true)), None) => {
                Fate::Remove(format!("`{}`, which stands on it, goes", image.thing.id))
            }
            (_, Some(key)) => self.kept_by_key(thing, key, newest),
            (None, None) => self.passing(thing, "an image is being made of it"),
        }
    }

    /// What a key finds.
    fn kept_by_key(&self, thing: &Thing, key: &str, newest: &BTreeMap<&str, &str>) -> Fate {
        let found = newest.get(key).copied().unwrap_or_default();
        match (self.wanted.contains(key), found == thing.id) {
            (true, true) => Fate::Keep("the recipes want it".into()),
            (_, false) if thing.owner == self.owner || self.is_over(thing) => {
                Fate::Remove(format!("`{found}` is the same, and newer"))
            }
            (false, _) if thing.owner == self.owner => {
                Fate::Remove("the recipes want it no more".into())
            }
            _ if self.is_over(thing) => {
                Fate::Remove("the recipes here do not want it, and its time is over".into())
            }
            _ => Fate::Keep(format!("`{}` may want it{}", thing.owner, until(thing, self.now))),
        }
    }

    /// What is there for the time of a bake.
    fn passing(&self, thing: &Thing, what: &str) -> Fate {
        match self.runs.life(&thing.run) {
            Life::Lives => Fate::Keep(format!("{what}, now")),
            Life::Died => Fate::Remove("the bake that made it died".into()),
            Life::Unknown if self.is_over(thing) => Fate::Remove("its time is over".into()),
            Life::Unknown => {
                Fate::Keep(format!("{what}, for `{}`{}", thing.owner, until(thing, self.now)))
            }
        }
    }

    fn is_over(&self, thing: &Thing) -> bool {
        thing.expires.is_some_and(|time| time <= self.now)
    }
}

/// Of each key the one that a bake would find: see `index::find`.
fn newest(all: &Belongings) -> BTreeMap<&str, &str> {
    let mut images: Vec<&ImageThing> = all.images.iter().collect();
    images.sort_by_key(|image| (&image.made, &image.thing.id));
    let mut snapshots: Vec<&SnapshotThing> = all.snapshots.iter().collect();
    snapshots.retain(|snapshot| !snapshot.failed);
    snapshots.sort_by_key(|snapshot| (snapshot.made, &snapshot.thing.id));
    let things = snapshots.iter().map(|snapshot| &snapshot.thing);
    let things = things.chain(images.iter().map(|image| &image.thing));
    things.filter_map(|thing| Some((thing.key.as_deref()?, thing.id.as_str()))).collect()
}

fn until(thing: &Thing, now: u64) -> String {
    match thing.expires {
        None => String::new(),
        Some(time) => {
            let hours = time.saturating_sub(now).div_ceil(3600);
            if hours < 72 { format!(" for {hours} h") } else { format!(" for {} days", hours / 24) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1000;

    fn judge(wanted: &[&str]) -> Judge {
        Judge {
            wanted: wanted.iter().map(|key| (*key).to_owned()).collect(),
            users: Users::default(),
            runs: Runs::of(&["living"], &["dead"]),
            owner: "me@here".into(),
            now: NOW,
        }
    }

    fn thing(id: &str, key: Option<&str>, run: &str, owner: &str) -> Thing {
        Thing {
            id: id.into(),
            name: String::new(),
            key: key.map(ToOwned::to_owned),
            run: run.into(),
            owner: owner.into(),
            expires: Some(NOW + 3600),
        }
    }

    fn snapshot(id: &str, key: Option<&str>, made: i64) -> SnapshotThing {
        SnapshotThing { thing: thing(id, key, "", "me@here"), made, failed: false }
    }

    fn image(id: &str, key: &str, snapshots: &[&str]) -> ImageThing {
        ImageThing {
            thing: Thing { expires: None, ..thing(id, Some(key), "", "me@here") },
            snapshots: snapshots.iter().map(|id| (*id).to_owned()).collect(),
            made: String::new(),
        }
    }

    /// The ids of what goes.
    fn doomed(judge: &Judge, all: &Belongings) -> Vec<String> {
        let goes = |found: &Found| matches!(found.fate, Fate::Remove(_));
        judge.judge(all).into_iter().filter(goes).map(|found| found.id).collect()
    }

    #[test]
    fn what_the_recipes_want_stays_and_its_doubles_go() {
        let all = Belongings {
            snapshots: vec![
                snapshot("old", Some("a"), 1),
                snapshot("new", Some("a"), 2),
                snapshot("unwanted", Some("b"), 1),
            ],
            ..Belongings::default()
        };
        assert_eq!(doomed(&judge(&["a"]), &all), ["old", "unwanted"]);
    }

    #[test]
    fn what_others_made_stays_until_its_time_is_over() {
        let of_others = thing("theirs", Some("b"), "", "you@there");
        let mut theirs = SnapshotThing { thing: of_others, made: 1, failed: false };
        let all = |theirs: &SnapshotThing| Belongings {
            snapshots: vec![theirs.clone()],
            ..Belongings::default()
        };
        assert!(doomed(&judge(&[]), &all(&theirs)).is_empty());
        theirs.thing.expires = Some(NOW);
        assert_eq!(doomed(&judge(&[]), &all(&theirs)), ["theirs"]);
    }

    #[test]
    fn an_ami_takes_its_snapshot_along_and_one_in_use_keeps_it() {
        let all = Belongings {
            images: vec![
                image("ami-old", "b", &["snap-old"]),
                image("ami-used", "c", &["snap-used"]),
            ],
            snapshots: vec![snapshot("snap-old", None, 1), snapshot("snap-used", None, 1)],
            ..Belongings::default()
        };
        let mut judge = judge(&[]);
        judge.users.0.insert("ami-used".into(), "instance `i-1` of it is running".into());
        assert_eq!(doomed(&judge, &all), ["ami-old", "snap-old"]);
    }

    #[test]
    fn what_a_dead_bake_left_goes_and_what_a_living_one_needs_stays() {
        let passing = |id: &str, run: &str| thing(id, None, run, "me@here");
        let all = Belongings {
            instances: vec![passing("i-dead", "dead"), passing("i-living", "living")],
            groups: vec![passing("sg-dead", "dead"), passing("sg-elsewhere", "elsewhere")],
            ..Belongings::default()
        };
        assert_eq!(doomed(&judge(&[]), &all), ["i-dead", "sg-dead"]);
    }

    #[test]
    fn everything_has_a_reason() {
        let all = Belongings {
            instances: vec![thing("i-1", None, "living", "me@here")],
            images: vec![image("ami-1", "a", &["snap-1"])],
            snapshots: vec![snapshot("snap-1", None, 1), snapshot("snap-2", None, 1)],
            ..Belongings::default()
        };
        let found = judge(&["a"]).judge(&all);
        assert_eq!(found.len(), 4);
        for found in found {
            let (Fate::Keep(why) | Fate::Remove(why)) = found.fate;
            assert!(!why.is_empty(), "{}", found.id);
        }
    }
}
