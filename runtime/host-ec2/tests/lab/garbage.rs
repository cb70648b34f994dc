//! What `gc` takes and what it leaves.

use super::cloud::Lab;
use super::project::{Project, Ran};
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
    let shown = project.run(project.three_layers("new"), &["gc", "--dry-run", "--format", "json"]);
    let all = fates(&shown);
    let fate = |id: &str| all.iter().find(|(_, found, _)| found == id).unwrap().clone();
    assert_eq!(fate(&old).0, "remove");
    assert_eq!(fate(&new).0, "keep");
    assert!(all.iter().all(|(.., why)| !why.is_empty()), "{all:?}");
    // The AMI, its snapshot, and the layer that only it stood on.
    assert_eq!(all.iter().filter(|(fate, ..)| fate == "remove").count(), 3, "{all:?}");
    let snapshots = "len([s for s in ec2.describe_snapshots(OwnerIds=['self'])['Snapshots'] if any(t['Key'] == 'kiln:run' for t in s.get('Tags', []))])";
    assert_eq!(lab.boto(snapshots), json!(6), "nothing is removed for the asking");
    let removed = project.run(project.three_layers("new"), &["gc", "--yes", "--format", "json"]);
    assert_eq!(removed.code, Some(0), "{}\n{}", removed.stdout, removed.stderr);
    assert_eq!(lab.boto(snapshots), json!(4));
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
    let shown =
        project.run(project.three_layers("wanted"), &["gc", "--dry-run", "--format", "json"]);
    let all = fates(&shown);
    for (id, word) in [(&running, "instance"), (&named, "servers")] {
        let (fate, _, why) = all.iter().find(|(_, found, _)| found == id).unwrap();
        assert_eq!(fate, "keep", "{why}");
        assert!(why.contains(word), "{why}");
    }
}
