//! What `gc` takes and what it leaves.

use super::cloud::Lab;
use super::project::{Project, Ran};
use kiln::{Ami, Image, Layer, ami, newest_ami, step};
use serde_json::{Value, json};

/// Ids by what is to happen to them.
fn fates(ran: &Ran) -> Vec<(String, String, String)> {
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = ran.events().into_iter().filter(|event| event["action"].is_string());
    found.map(|found| (text(&found["action"]), text(&found["id"]), text(&found["why"]))).collect()
}

#[test]
fn gc_shows_what_the_recipes_want_no_more_and_removes_it_with_its_snapshots() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let old = project.ami(&project.three_layers("old"));
    let new = project.ami(&project.three_layers("new"));
    let shown = project.run(
        project.three_layers("new"),
        &["gc", "--older-than", "0s", "--dry-run", "--format", "json"],
    );
    let all = fates(&shown);
    let fate = |id: &str| all.iter().find(|(_, found, _)| found == id).unwrap().clone();
    assert_eq!(fate(&old).0, "remove");
    assert_eq!(fate(&new).0, "keep");
    assert!(all.iter().all(|(.., why)| !why.is_empty()), "{all:?}");
    // The AMI, and the layer that it is made of.
    assert_eq!(all.iter().filter(|(fate, ..)| fate == "remove").count(), 2, "{all:?}");
    let snapshots = "len([s for s in ec2.describe_snapshots(OwnerIds=['self'])['Snapshots'] if any(t['Key'] == 'kiln:run' for t in s.get('Tags', []))])";
    assert_eq!(lab.boto(snapshots), json!(4), "nothing is removed for the asking");
    let removed = project.run(
        project.three_layers("new"),
        &["gc", "--older-than", "0s", "--yes", "--format", "json"],
    );
    assert_eq!(removed.code, Some(0), "{}\n{}", removed.stdout, removed.stderr);
    assert_eq!(lab.boto(snapshots), json!(3));
    let again = project.bake(project.three_layers("new"));
    assert_eq!(again.counts(), (0, 5, 0), "what is wanted is still there");
}

#[test]
fn gc_keeps_what_runs_and_what_a_launch_template_names() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let running = project.ami(&project.three_layers("running"));
    let named = project.ami(&project.three_layers("named"));
    project.bake(project.three_layers("wanted"));
    lab.boto(&format!("ec2.run_instances(ImageId='{running}', InstanceType='t3.micro', MinCount=1, MaxCount=1)['OwnerId']"));
    lab.boto(&format!("ec2.create_launch_template(LaunchTemplateName='servers', LaunchTemplateData={{'ImageId': '{named}'}})['LaunchTemplate']['LaunchTemplateId']"));
    // An image in use is one that no recipe wants any more, or it would be kept for that.
    let shown = project.run(
        project.three_layers("wanted"),
        &["gc", "--older-than", "0s", "--dry-run", "--format", "json"],
    );
    let all = fates(&shown);
    for (id, word) in [(&running, "instance"), (&named, "servers")] {
        let (fate, _, why) = all.iter().find(|(_, found, _)| found == id).unwrap();
        assert_eq!(fate, "keep", "{why}");
        assert!(why.contains(word), "{why}");
    }
}

#[test]
fn what_an_ami_and_a_layer_share_stays_as_long_as_one_of_them_is_wanted() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let alone = project.three_layers("shared");
    let old = project.ami(&alone);
    let snapshot = lab.boto(&format!(
        "ec2.describe_images(ImageIds=['{old}'])['Images'][0]['BlockDeviceMappings'][0]['Ebs']['SnapshotId']"
    ));
    let snapshot = snapshot.as_str().unwrap();
    // One more layer: the AMI goes, the layer that it is made of is stood on.
    let more = || {
        let layer = Layer::new("more").step(step::run("touch /etc/more"));
        project.three_layers("shared").layer(layer)
    };
    project.bake(more()).done();
    let gc = |image| {
        fates(&project.run(image, &["gc", "--older-than", "0s", "--yes", "--format", "json"]))
    };
    let fate = |all: &[(String, String, String)], id: &str| {
        all.iter().find(|(_, found, _)| found == id).unwrap().0.clone()
    };
    let first = gc(more());
    assert_eq!((fate(&first, &old), fate(&first, snapshot)), ("remove".into(), "keep".into()));
    assert_eq!(project.bake(more()).counts(), (0, 6, 0), "the layer is still there");
    // The first image again, of the layer as it is; then nothing wants the layer but that AMI's machine.
    let new = project.ami(&alone);
    lab.boto(&format!("ec2.run_instances(ImageId='{new}', InstanceType='t3.micro', MinCount=1, MaxCount=1)['OwnerId']"));
    let second = gc(project.three_layers("other"));
    assert_eq!((fate(&second, &new), fate(&second, snapshot)), ("keep".into(), "keep".into()));
    let ids = lab.boto("[i['InstanceId'] for r in ec2.describe_instances()['Reservations'] for i in r['Instances'] if i['State']['Name'] == 'running']");
    lab.boto(&format!("ec2.terminate_instances(InstanceIds={ids})['TerminatingInstances']"));
    let third = gc(project.three_layers("other"));
    assert_eq!((fate(&third, &new), fate(&third, snapshot)), ("remove".into(), "remove".into()));
    let left = lab
        .boto("[s['SnapshotId'] for s in ec2.describe_snapshots(OwnerIds=['self'])['Snapshots']]");
    assert!(!left.to_string().contains(snapshot), "both are gone: {left}");
}

#[test]
fn gc_keeps_what_a_recipe_its_lock_file_or_a_launch_configuration_names() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let tiny = |name: &str| {
        let layer = Layer::new("mark").step(step::run(format!("echo {name} >/etc/mark")));
        project.ami(&project.debian(name).layer(layer))
    };
    let (by_id, configured, unnamed) = (tiny("by-id"), tiny("configured"), tiny("unnamed"));
    lab.boto(&format!(
        "boto3.client('autoscaling').create_launch_configuration(LaunchConfigurationName='old servers', ImageId='{configured}', InstanceType='t3.micro')"
    ));
    let on = |base: Ami| {
        Image::new("on", project.folder.path().to_str().unwrap())
            .base(base)
            .layer(Layer::new("more").step(step::run("touch /etc/more")))
    };
    let gc = |image| {
        fates(&project.run(image, &["gc", "--older-than", "0s", "--dry-run", "--format", "json"]))
    };
    let fate = |all: &[(String, String, String)], id: &str| {
        let (action, _, why) = all.iter().find(|(_, found, _)| found == id).unwrap();
        format!("{action}: {why}")
    };
    let base = "keep: the recipes name it as a base";
    let all = gc(on(ami(&by_id)));
    assert_eq!(fate(&all, &by_id), base);
    assert_eq!(fate(&all, &configured), "keep: the launch configuration `old servers` names it");
    assert_eq!(fate(&all, &unnamed), "remove: the recipes want it no more");
    // Which AMI a filter means, the lock file says.
    project.run(on(newest_ami("self", "unnamed *")), &["update", "--format", "json"]).done();
    let all = gc(on(newest_ami("self", "unnamed *")));
    assert_eq!(fate(&all, &unnamed), base);
    assert_eq!(fate(&all, &by_id), "remove: the recipes want it no more");
}
