//! Bakes that end at any moment.

use super::cloud::{Lab, bad_weather};
use super::project::Project;
use kiln::Test;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// Objects of Kiln in a lab that are none of what three layers and their image are.
fn leftovers(lab: &Lab) -> Vec<String> {
    let mut left = lab.instances();
    let of_kiln = "any(t['Key'] == 'kiln:run' for t in o.get('Tags', []))";
    let list = |call: &str, id: &str| {
        let found = lab.boto(&format!("[o['{id}'] for o in {call} if {of_kiln}]"));
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    left.extend(list("ec2.describe_security_groups()['SecurityGroups']", "GroupId"));
    left.extend(list("ec2.describe_volumes()['Volumes']", "VolumeId"));
    let images = list("ec2.describe_images(Owners=['self'])['Images']", "ImageId");
    if images.len() != 1 {
        left.extend(images);
    }
    // Of the three layers: the last one's is the image's too. Whoever bakes one again before its snapshot can be seen makes
    // a double, and the image may stand on the older.
    let of_image = lab.boto(
        "[d['Ebs']['SnapshotId'] for o in ec2.describe_images(Owners=['self'])['Images'] \
          for d in o['BlockDeviceMappings'] if 'Ebs' in d]",
    );
    let newest = lab.boto(&format!(
        "{{t['Value']: o['SnapshotId'] for o in sorted(ec2.describe_snapshots(OwnerIds=['self'])['Snapshots'], \
          key=lambda o: (o['StartTime'], o['SnapshotId'])) if {of_kiln} \
          for t in o['Tags'] if t['Key'] == 'kiln:key'}}"
    ));
    let newest: Vec<&Value> = newest.as_object().unwrap().values().collect();
    let is_wanted = |id: &String| {
        let id = json!(id);
        newest.contains(&&id) || of_image.as_array().unwrap().contains(&id)
    };
    let snapshots = list("ec2.describe_snapshots(OwnerIds=['self'])['Snapshots']", "SnapshotId");
    if newest.len() != 3 || !snapshots.iter().all(is_wanted) {
        left.extend(snapshots);
    }
    left
}

#[test]
fn after_a_kill_at_any_moment_the_next_bake_succeeds_and_gc_leaves_what_is_wanted() {
    let kills: u64 = std::env::var("KILN_KILLS").map_or(4, |text| text.parse().unwrap());
    for seed in 0..kills {
        let lab = Lab::up(&[]);
        lab.misbehave(&bad_weather(seed));
        let project = Project::new(&lab);
        let image =
            || project.three_layers("a").test(Test::new("is").run("test -s /etc/site.conf"));
        let mut bake = project.start(image(), &["update", "--format", "json"]);
        // Spread over the time that a bake takes, by a step that meets no rhythm of it.
        let moment = Duration::from_millis(200 + seed * 7919 % 9000);
        std::thread::sleep(moment);
        let _it_may_be_over = bake.kill();
        bake.wait().unwrap();
        let next = project.bake(image());
        assert_eq!(next.counts().2, 0, "killed after {moment:?}\n{}\n{}", next.stdout, next.stderr);
        lab.misbehave(&json!({ "throttle": 0.0, "visibility": 0.0 }));
        let gc = project.run(image(), &["gc", "--yes", "--format", "json"]);
        assert_eq!(gc.code, Some(0), "{}\n{}", gc.stdout, gc.stderr);
        assert_eq!(leftovers(&lab), [""; 0], "killed after {moment:?}\n{}", gc.stdout);
    }
}

#[test]
fn a_user_who_stops_a_bake_leaves_nothing_behind() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let mut bake = project.start(project.three_layers("a"), &["update", "--format", "json"]);
    // As soon as there is something to clean up.
    while lab.instances().is_empty() {
        assert!(bake.try_wait().unwrap().is_none(), "the bake ended before it made a machine");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = bake.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let code = bake.wait().unwrap().code();
    assert_eq!(code, Some(1));
    assert_eq!(lab.instances(), [""; 0]);
    let groups =
        lab.boto("[g['GroupName'] for g in ec2.describe_security_groups()['SecurityGroups']]");
    assert_eq!(groups, json!(["default"]));
    assert_eq!(std::fs::read_dir(project.path("store/ec2/runs")).unwrap().count(), 0);
}
