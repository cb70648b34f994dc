use super::belongings::{Belongings, Condition, ImageThing, Kind, SnapshotThing, Thing};
use super::users::Users;
use crate::run::{LIFETIME, Life, Runs};
use kiln_engine::driver::{Fate, Found};
use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
mod tests;

/// What decides over what Kiln made. It asks nobody: the same survey has the same end.
#[derive(Debug)]
pub(super) struct Judge {
    /// The keys that the recipes would look for.
    pub(super) wanted: BTreeSet<String>,
    /// The ids that the recipes or their lock file name.
    pub(super) named: BTreeSet<String>,
    /// Seconds: what is younger, recipes may want that are not these.
    pub(super) younger_than: u64,
    /// The runs that this store knows.
    pub(super) runs: Runs,
    /// Who asks, `user@host`: of its own runs this store knows those that live.
    pub(super) owner: String,
    /// Seconds since 1970.
    pub(super) now: u64,
}

/// Of each key what a bake would find: see `index::find`.
type Newest<'a> = BTreeMap<&'a str, &'a str>;

impl Judge {
    /// The AMIs that go unless somebody uses them: only of these it has to be known.
    pub(super) fn unwanted_images<'a>(&self, all: &'a Belongings) -> Vec<&'a str> {
        let newest = newest(all);
        let goes = |image: &&ImageThing| is_removal(&self.image(image, &newest));
        all.images.iter().filter(goes).map(|image| image.thing.id.as_str()).collect()
    }

    /// Says of each thing what is to happen to it.
    pub(super) fn judge(&self, all: &Belongings, users: &Users) -> Vec<Found> {
        let mut found = Vec::new();
        let mut say = |kind: Kind, thing: &Thing, fate: Fate| {
            let Thing { id, name, .. } = thing.clone();
            found.push(Found { id, kind: kind.word(), name, fate });
        };
        let newest = newest(all);
        let mut ending = BTreeSet::new();
        for instance in &all.instances {
            let fate = self.passing(instance, None);
            if is_removal(&fate) {
                ending.insert(instance.id.as_str());
            }
            say(Kind::Instance, instance, fate);
        }
        // By snapshot: an AMI that stands on it, and whether that AMI stays.
        let mut standing: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
        for image in &all.images {
            let mut fate = self.image(image, &newest);
            if let (Fate::Remove(_), Some(user)) = (&fate, user(image, all, users, &ending)) {
                fate = Fate::Keep(user);
            }
            let stays = !is_removal(&fate);
            for snapshot in &image.snapshots {
                let seen = standing.entry(snapshot).or_insert((&image.thing.id, stays));
                if stays {
                    *seen = (&image.thing.id, true);
                }
            }
            say(Kind::Image, &image.thing, fate);
        }
        for (snapshot, image) in &all.stood_on {
            standing.insert(snapshot, (image, true));
        }
        for snapshot in &all.snapshots {
            say(Kind::Snapshot, &snapshot.thing, self.snapshot(snapshot, &standing, &newest));
        }
        for volume in &all.volumes {
            say(Kind::Volume, volume, self.passing(volume, None));
        }
        for group in &all.groups {
            say(Kind::Group, group, self.passing(group, None));
        }
        found
    }

    fn image(&self, image: &ImageThing, newest: &Newest<'_>) -> Fate {
        let ImageThing { thing, condition, made, .. } = image;
        match (condition, &thing.key) {
            (Condition::Disabled, _) => {
                Fate::Keep("somebody has disabled it, and may enable it again".into())
            }
            (Condition::Useless(why), _) => self.useless(thing, why),
            (Condition::Usable, Some(key)) => match self.by_key(thing, key, *made, newest) {
                Fate::Remove(_) if self.named.contains(&thing.id) => {
                    Fate::Keep("the recipes name it as a base".into())
                }
                fate => fate,
            },
            (Condition::Unfinished, _) | (Condition::Usable, None) => {
                self.passing(thing, Some(*made))
            }
        }
    }

    fn snapshot(
        &self,
        snapshot: &SnapshotThing,
        standing: &BTreeMap<&str, (&str, bool)>,
        newest: &Newest<'_>,
    ) -> Fate {
        let SnapshotThing { thing, condition, made } = snapshot;
        match (standing.get(thing.id.as_str()), condition, &thing.key) {
            (Some((image, true)), ..) => Fate::Keep(format!("`{image}` stands on it")),
            (Some((image, false)), _, None) => {
                Fate::Remove(format!("it goes with `{image}`, which stands on it"))
            }
            (_, Condition::Useless(why), _) => self.useless(thing, why),
            (_, Condition::Usable, Some(key)) => self.by_key(thing, key, *made, newest),
            // Without a key it is one that an AMI is made of, and no AMI is.
            _ => self.passing(thing, Some(*made)),
        }
    }

    /// What bakes find by a key.
    fn by_key(&self, thing: &Thing, key: &str, made: u64, newest: &Newest<'_>) -> Fate {
        let found = newest.get(key).copied().unwrap_or_default();
        if found == thing.id && self.wanted.contains(key) {
            return Fate::Keep("the recipes want it".into());
        }
        let life = self.runs.life(&thing.run);
        if life == Life::Lives {
            return Fate::Keep("a bake that runs made it".into());
        }
        // The bake that made it may go on with it, although no other finds it.
        let bakes_until = made.saturating_add(LIFETIME.as_secs());
        if life == Life::Unknown && thing.owner != self.owner && bakes_until > self.now {
            return self.of_a_bake(thing, Some(bakes_until));
        }
        if found != thing.id {
            return Fate::Remove(format!("`{found}` is of the same key, and newer"));
        }
        let young_until = made.saturating_add(self.younger_than);
        if young_until > self.now {
            let until = self.until(Some(young_until));
            return Fate::Keep(format!("young: other recipes than these may want it{until}"));
        }
        Fate::Remove("the recipes want it no more".into())
    }

    /// What is there for one bake. What names no end of its own ends when that bake must have, `made` given.
    fn passing(&self, thing: &Thing, made: Option<u64>) -> Fate {
        let ends = made.map(|made| made.saturating_add(LIFETIME.as_secs()));
        let ends = thing.expires.or(ends);
        match self.runs.life(&thing.run) {
            Life::Lives => Fate::Keep("a bake that runs needs it".into()),
            Life::Died => Fate::Remove("the bake that made it died".into()),
            Life::Unknown if ends.is_some_and(|time| time <= self.now) => {
                Fate::Remove("the bake that made it is over".into())
            }
            // The same owner may bake with another store, or have kept a machine to look at it.
            Life::Unknown => self.of_a_bake(thing, ends),
        }
    }

    fn useless(&self, thing: &Thing, why: &str) -> Fate {
        match self.runs.life(&thing.run) {
            Life::Lives => Fate::Keep("the bake that made it still runs".into()),
            Life::Died | Life::Unknown => Fate::Remove(why.into()),
        }
    }

    fn of_a_bake(&self, thing: &Thing, ends: Option<u64>) -> Fate {
        Fate::Keep(format!("may belong to a bake of `{}`{}", thing.owner, self.until(ends)))
    }

    fn until(&self, time: Option<u64>) -> String {
        let Some(time) = time else { return String::new() };
        let hours = time.saturating_sub(self.now).div_ceil(3600);
        match hours {
            0..72 => format!(", for {hours} h more"),
            _ => format!(", for {} days more", hours / 24),
        }
    }
}

pub(super) fn is_removal(fate: &Fate) -> bool {
    matches!(fate, Fate::Remove(_))
}

/// Who uses an AMI, in words. Instances that go themselves do not.
fn user(
    image: &ImageThing,
    all: &Belongings,
    users: &Users,
    ending: &BTreeSet<&str>,
) -> Option<String> {
    let id = &image.thing.id;
    let instances = users.instances.get(id).map_or(&[][..], Vec::as_slice);
    let mut instances = instances.iter().filter(|(instance, _)| !ending.contains(&**instance));
    if let Some((instance, state)) = instances.next() {
        return Some(format!("instance `{instance}` of it is {state}"));
    }
    let copy = || all.copied.get(id).map(|copy| format!("`{copy}` was made from it"));
    users.templates.get(id).cloned().or_else(copy)
}

fn newest(all: &Belongings) -> Newest<'_> {
    let mut images: Vec<&ImageThing> = all.images.iter().collect();
    images.retain(|image| image.condition == Condition::Usable);
    images.sort_by_key(|image| (&image.created, &image.thing.id));
    let mut snapshots: Vec<&SnapshotThing> = all.snapshots.iter().collect();
    snapshots.retain(|snapshot| snapshot.condition == Condition::Usable);
    snapshots.sort_by_key(|snapshot| (snapshot.made, &snapshot.thing.id));
    let things = snapshots.iter().map(|snapshot| &snapshot.thing);
    let things = things.chain(images.iter().map(|image| &image.thing));
    things.filter_map(|thing| Some((thing.key.as_deref()?, thing.id.as_str()))).collect()
}
