//! A state that a team shares in a bucket, through the host.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, NAME, page, recipes, told};
use super::project::Project;
use serde_json::Value;

#[test]
fn what_is_begun_and_done_stands_in_a_bucket_for_whoever_comes_next() {
    let lab = Lab::up(&[]);
    lab.boto("boto3.client('s3').create_bucket(Bucket='team', CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})['ResponseMetadata']['HTTPStatusCode']");
    let mut ann = Project::new(&lab);
    ann.environment = vec![("KILN_STATE", Some("s3://team/kiln"))];
    let mut bob = Project::new(&lab);
    bob.environment = ann.environment.clone();
    let fleet = Fleet { lab: &lab, project: &ann };
    let others = Fleet { lab: &lab, project: &bob };
    let of = |version: &str| told(page(&ann), version);
    let traffic = fleet.begin(&of("one"));
    std::fs::copy(ann.path("kiln.lock"), bob.path("kiln.lock")).unwrap();

    // One dies while the other waits for it, and goes on.
    let args = ["deploy", "--yes", "--lease-time", "10", "--format", "json"];
    let mut dies = ann.start_on(&recipes([of("two")]), &args);
    while fleet.groups().len() < 2 {}
    let refusal = others.run(&of("three"), &["deploy", "--yes"]).refusal().to_string();
    assert!(refusal.contains("--lock-timeout"), "{refusal}");
    dies.kill().unwrap();
    dies.wait().unwrap();
    let wait = ["deploy", "--yes", "--lock-timeout", "60"];
    traffic.switch("two", || others.run(&of("two"), &wait).done());
    assert_eq!(others.run(&of("two"), &["plan", "--detailed-exitcode"]).code, Some(0));

    let history = others.run(&of("two"), &["history", NAME]).done().stdout;
    let history: Value = serde_json::from_str(&history).unwrap();
    assert_eq!(history["history"].as_array().unwrap().len(), 2, "{history}");
    traffic.switch("one", || others.run(&of("two"), &["rollback", NAME, "--yes"]).done());
    let objects = lab
        .boto("[o['Key'] for o in boto3.client('s3').list_objects_v2(Bucket='team')['Contents']]");
    let objects = objects.to_string();
    assert!(objects.contains("kiln/shop/production/history/000003.json"), "{objects}");
    assert!(!ann.path("store/deployments").exists(), "a folder is written beside the bucket");
}
