use super::*;

const NOW: u64 = 1_000_000;
const DAY: u64 = 24 * 3600;

fn judge(wanted: &[&str]) -> Judge {
    Judge {
        wanted: wanted.iter().map(|key| (*key).to_owned()).collect(),
        named: BTreeSet::new(),
        younger_than: 0,
        runs: Runs::of(&["living"], &["dead"]),
        owner: "me@here".into(),
        now: NOW,
    }
}

fn thing(id: &str, key: Option<&str>, run: &str) -> Thing {
    Thing {
        id: id.into(),
        name: "web/site".into(),
        key: key.map(ToOwned::to_owned),
        run: run.into(),
        owner: "me@here".into(),
        expires: Some(NOW + 3600),
    }
}

fn theirs(id: &str, key: Option<&str>) -> Thing {
    Thing { owner: "you@there".into(), ..thing(id, key, "theirs") }
}

/// A layer's.
fn snapshot(id: &str, key: &str, made: u64) -> SnapshotThing {
    let thing = thing(id, Some(key), "over");
    SnapshotThing { thing, condition: Condition::Usable, made }
}

/// One that an AMI is made of.
fn of_image(id: &str, run: &str, made: u64) -> SnapshotThing {
    let thing = Thing { expires: None, ..thing(id, None, run) };
    SnapshotThing { thing, condition: Condition::Usable, made }
}

fn image(id: &str, key: &str, snapshots: &[&str]) -> ImageThing {
    ImageThing {
        thing: Thing { expires: None, ..thing(id, Some(key), "over") },
        snapshots: snapshots.iter().map(|id| (*id).to_owned()).collect(),
        ..ImageThing::default()
    }
}

fn temporary(id: &str, run: &str, snapshot: &str) -> ImageThing {
    ImageThing {
        thing: thing(id, None, run),
        snapshots: vec![snapshot.to_owned()],
        ..ImageThing::default()
    }
}

/// The ids of what goes.
fn doomed(judge: &Judge, all: &Belongings) -> Vec<String> {
    doomed_beside(judge, all, &Users::default())
}

fn doomed_beside(judge: &Judge, all: &Belongings, users: &Users) -> Vec<String> {
    let found = judge.judge(all, users).into_iter();
    found.filter(|found| is_removal(&found.fate)).map(|found| found.id).collect()
}

/// Why something stays or goes.
fn why(judge: &Judge, all: &Belongings, users: &Users, id: &str) -> String {
    let found = judge.judge(all, users).into_iter().find(|found| found.id == id).unwrap();
    match found.fate {
        Fate::Keep(why) => format!("keep: {why}"),
        Fate::Remove(why) => format!("remove: {why}"),
    }
}

fn runs(image: &str, instance: &str) -> Users {
    let user = (instance.to_owned(), "running".to_owned());
    Users { instances: [(image.to_owned(), vec![user])].into(), ..Users::default() }
}

#[test]
fn what_the_recipes_want_stays_and_what_they_want_no_more_goes() {
    let all = Belongings {
        images: vec![image("ami-a", "image-a", &[]), image("ami-b", "image-b", &[])],
        snapshots: vec![snapshot("snap-a", "a", 1), snapshot("snap-b", "b", 1)],
        ..Belongings::default()
    };
    assert_eq!(doomed(&judge(&["a", "image-a"]), &all), ["ami-b", "snap-b"]);
}

#[test]
fn of_one_key_the_one_stays_that_a_bake_finds() {
    let by_time =
        |id: &str, created: &str| ImageThing { created: created.into(), ..image(id, "image", &[]) };
    let all = Belongings {
        images: vec![by_time("ami-1", "2026-11-20T10"), by_time("ami-2", "2026-11-20T09")],
        snapshots: vec![
            snapshot("snap-old", "a", 1),
            snapshot("snap-new", "a", 2),
            snapshot("snap-new-too", "a", 2),
        ],
        ..Belongings::default()
    };
    assert_eq!(doomed(&judge(&["a", "image"]), &all), ["ami-2", "snap-old", "snap-new"]);
}

#[test]
fn what_no_bake_can_take_is_not_the_newest_of_its_key() {
    let failed = |id: &str, made| SnapshotThing {
        condition: Condition::Useless("EC2 could not complete it"),
        ..snapshot(id, "a", made)
    };
    let all = Belongings {
        images: vec![
            image("ami-usable", "image", &[]),
            ImageThing {
                condition: Condition::Unfinished,
                created: "later".into(),
                made: NOW,
                ..image("ami-pending", "image", &[])
            },
        ],
        snapshots: vec![snapshot("snap-usable", "a", 1), failed("snap-failed", 2)],
        ..Belongings::default()
    };
    assert_eq!(doomed(&judge(&["a", "image"]), &all), ["snap-failed"]);
}

/// An AMI of somebody else, and the layer that it is made of.
fn made_elsewhere(made: u64) -> Belongings {
    Belongings {
        images: vec![ImageThing {
            thing: Thing { expires: None, ..theirs("ami", Some("image")) },
            made,
            ..image("ami", "image", &["snap"])
        }],
        snapshots: vec![SnapshotThing {
            thing: theirs("snap", Some("layer")),
            made,
            ..SnapshotThing::default()
        }],
        ..Belongings::default()
    }
}

#[test]
fn what_somebody_else_has_baked_for_the_project_goes_as_ones_own_does() {
    assert_eq!(doomed(&judge(&[]), &made_elsewhere(NOW - DAY)), ["ami", "snap"]);
    assert!(doomed(&judge(&["image"]), &made_elsewhere(NOW - DAY)).is_empty());
}

#[test]
fn what_is_young_stays_whoever_made_it_and_whatever_its_tags_say() {
    let patient = Judge { younger_than: 7 * DAY, ..judge(&[]) };
    assert_eq!(doomed(&patient, &made_elsewhere(NOW - 7 * DAY)), ["ami", "snap"]);
    assert!(doomed(&patient, &made_elsewhere(NOW - 7 * DAY + 1)).is_empty());
    let stays = why(&patient, &made_elsewhere(NOW - 2 * DAY), &Users::default(), "ami");
    assert_eq!(stays, "keep: young: other recipes than these may want it, for 5 days more");
    let own =
        Belongings { snapshots: vec![snapshot("snap", "b", NOW - DAY)], ..Belongings::default() };
    assert!(doomed(&patient, &own).is_empty());
}

#[test]
fn what_a_bake_elsewhere_may_still_go_on_with_stays_however_young_may_go() {
    assert!(doomed(&judge(&[]), &made_elsewhere(NOW - 60)).is_empty());
    let stays = why(&judge(&[]), &made_elsewhere(NOW - 3600), &Users::default(), "ami");
    assert_eq!(stays, "keep: may belong to a bake of `you@there`, for 11 h more");
    let own = Belongings { snapshots: vec![snapshot("snap", "b", NOW)], ..Belongings::default() };
    assert_eq!(doomed(&judge(&[]), &own), ["snap"], "this store knows that the bake is over");
}

#[test]
fn a_double_of_others_stays_as_long_as_their_bake_may_go_on_with_it() {
    let all = |made| Belongings {
        snapshots: vec![
            SnapshotThing { thing: theirs("old", Some("a")), made, ..SnapshotThing::default() },
            snapshot("new", "a", NOW),
        ],
        ..Belongings::default()
    };
    assert!(doomed(&judge(&["a"]), &all(NOW - 60)).is_empty());
    assert_eq!(doomed(&judge(&["a"]), &all(NOW - DAY)), ["old"]);
}

#[test]
fn an_ami_takes_its_snapshots_along() {
    let all = Belongings {
        images: vec![image("ami-old", "b", &["snap-1", "snap-2"])],
        snapshots: vec![of_image("snap-1", "over", NOW), of_image("snap-2", "over", NOW)],
        ..Belongings::default()
    };
    assert_eq!(doomed(&judge(&[]), &all), ["ami-old", "snap-1", "snap-2"]);
    assert!(doomed(&judge(&["b"]), &all).is_empty());
}

#[test]
fn an_ami_in_use_stays_with_its_snapshots_and_its_user_is_named() {
    let all = Belongings {
        images: vec![image("ami-1", "b", &["snap-1"])],
        snapshots: vec![of_image("snap-1", "over", 1)],
        ..Belongings::default()
    };
    let template = "version 3 of the launch template `web` names it";
    let by_template =
        Users { templates: [("ami-1".into(), template.into())].into(), ..Users::default() };
    for (users, user) in
        [(runs("ami-1", "i-1"), "instance `i-1` of it is running"), (by_template, template)]
    {
        assert!(doomed_beside(&judge(&[]), &all, &users).is_empty());
        assert_eq!(why(&judge(&[]), &all, &users, "ami-1"), format!("keep: {user}"));
        assert_eq!(why(&judge(&[]), &all, &users, "snap-1"), "keep: `ami-1` stands on it");
    }
    let copied = Belongings { copied: [("ami-1".into(), "ami-copy".into())].into(), ..all };
    assert!(doomed(&judge(&[]), &copied).is_empty());
}

#[test]
fn an_instance_that_goes_itself_keeps_no_ami() {
    let all = Belongings {
        instances: vec![thing("i-dead", None, "dead")],
        images: vec![image("ami-1", "b", &[])],
        ..Belongings::default()
    };
    assert_eq!(doomed_beside(&judge(&[]), &all, &runs("ami-1", "i-dead")), ["i-dead", "ami-1"]);
}

#[test]
fn only_amis_that_would_go_are_asked_for_their_users() {
    let all = Belongings {
        images: vec![
            image("ami-wanted", "a", &[]),
            image("ami-unwanted", "b", &[]),
            temporary("ami-living", "living", "snap"),
            temporary("ami-dead", "dead", "snap"),
        ],
        ..Belongings::default()
    };
    assert_eq!(judge(&["a"]).unwanted_images(&all), ["ami-unwanted", "ami-dead"]);
}

#[test]
fn an_ami_that_a_recipe_names_as_its_base_stays_with_its_snapshot() {
    let all = Belongings {
        images: vec![image("ami-base", "b", &["snap-1"]), image("ami-other", "c", &[])],
        snapshots: vec![snapshot("snap-1", "layer of b", 1)],
        ..Belongings::default()
    };
    let named = Judge { named: ["ami-base".to_owned()].into(), ..judge(&[]) };
    assert_eq!(doomed(&named, &all), ["ami-other"]);
    let stays = why(&named, &all, &Users::default(), "ami-base");
    assert_eq!(stays, "keep: the recipes name it as a base");
    assert_eq!(named.unwanted_images(&all), ["ami-other"]);
}

#[test]
fn a_layer_that_an_ami_is_made_of_goes_when_neither_is_wanted() {
    let expired = |id: &str| {
        let layer = snapshot(id, "layer", 1);
        SnapshotThing { thing: Thing { expires: Some(NOW - DAY), ..layer.thing }, ..layer }
    };
    let all = Belongings {
        images: vec![image("ami-1", "image", &["snap-1"])],
        snapshots: vec![expired("snap-1")],
        ..Belongings::default()
    };
    assert_eq!(doomed(&judge(&["layer"]), &all), ["ami-1"]);
    assert!(doomed(&judge(&["image"]), &all).is_empty(), "its time is over, the image's is not");
    assert_eq!(doomed(&judge(&[]), &all), ["ami-1", "snap-1"]);
}

#[test]
fn a_snapshot_that_somebody_else_made_an_ami_of_stays() {
    let all = Belongings {
        snapshots: vec![snapshot("snap-1", "b", 1)],
        stood_on: [("snap-1".into(), "ami-theirs".into())].into(),
        ..Belongings::default()
    };
    let stays = why(&judge(&[]), &all, &Users::default(), "snap-1");
    assert_eq!(stays, "keep: `ami-theirs` stands on it");
}

#[test]
fn one_ami_that_stays_is_enough_for_a_snapshot_to_stay() {
    for order in [["b", "c"], ["c", "b"]] {
        let all = Belongings {
            images: order.iter().map(|key| image(&format!("ami-{key}"), key, &["snap"])).collect(),
            snapshots: vec![of_image("snap", "over", 1)],
            ..Belongings::default()
        };
        assert_eq!(doomed(&judge(&["b"]), &all), ["ami-c"]);
    }
}

#[test]
fn what_a_dead_bake_left_goes_and_what_a_living_one_needs_stays() {
    let all = Belongings {
        instances: vec![thing("i-dead", None, "dead"), thing("i-living", None, "living")],
        images: vec![
            temporary("ami-dead", "dead", "snap-wanted"),
            temporary("ami-living", "living", "snap-unwanted"),
        ],
        snapshots: vec![
            snapshot("snap-wanted", "a", 1),
            snapshot("snap-unwanted", "b", 1),
            of_image("snap-dead", "dead", NOW),
            of_image("snap-living", "living", NOW),
            SnapshotThing {
                thing: thing("snap-new", Some("c"), "living"),
                ..SnapshotThing::default()
            },
        ],
        volumes: vec![thing("vol-dead", None, "dead"), thing("vol-living", None, "living")],
        groups: vec![thing("sg-dead", None, "dead"), thing("sg-living", None, "living")],
        ..Belongings::default()
    };
    assert_eq!(
        doomed(&judge(&["a"]), &all),
        ["i-dead", "ami-dead", "snap-dead", "vol-dead", "sg-dead"]
    );
}

#[test]
fn what_nobody_here_knows_stays_until_no_bake_can_need_it() {
    let all = |expires, made| Belongings {
        instances: vec![Thing { expires: Some(expires), ..theirs("i-1", None) }],
        volumes: vec![Thing { expires: Some(expires), ..thing("vol-1", None, "elsewhere") }],
        snapshots: vec![of_image("snap-1", "elsewhere", made)],
        ..Belongings::default()
    };
    let young = all(NOW + 3601, NOW - 60);
    assert!(doomed(&judge(&[]), &young).is_empty());
    let stays = why(&judge(&[]), &young, &Users::default(), "i-1");
    assert_eq!(stays, "keep: may belong to a bake of `you@there`, for 2 h more");
    assert_eq!(doomed(&judge(&[]), &all(NOW, NOW - DAY)), ["i-1", "snap-1", "vol-1"]);
}

#[test]
fn an_ami_that_somebody_disabled_stays_and_one_that_failed_goes() {
    let all = Belongings {
        images: vec![
            ImageThing { condition: Condition::Disabled, ..image("ami-off", "b", &["snap-off"]) },
            ImageThing { condition: Condition::Useless("x"), ..image("ami-bad", "c", &[]) },
        ],
        snapshots: vec![of_image("snap-off", "over", 1)],
        ..Belongings::default()
    };
    assert_eq!(doomed(&judge(&["c"]), &all), ["ami-bad"]);
}
