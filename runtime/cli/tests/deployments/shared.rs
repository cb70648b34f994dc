//! What several people and machines share: leases, what was begun, what was deployed, and in which region.

use crate::cases::{Case, of};
use crate::host::Project;
use kiln::prelude::*;
use kiln_engine::driver::{Capacity, Holder, Intent, Lease, State};
use std::time::Duration;

pub const ALL: &[Case] = &[
    ("somebody_who_deploys_the_same_is_named", held),
    ("what_was_begun_and_has_not_ended_is_in_the_status", begun),
    ("a_destroy_that_fails_says_why_and_where_it_looks", destroy_elsewhere),
    ("the_file_that_changed_is_named_on_a_machine_that_has_never_baked", reason_elsewhere),
];

/// Somebody else changes `production`.
fn hold(project: &Project) -> Box<dyn Lease> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (who, run) = ("ann@desk".to_owned(), "another".to_owned());
    let holder = Holder { who, run, command: "deploy production".into() };
    let path = project.path("store/deployments/shop");
    let state = kiln_state::Shared::in_folder(path, Duration::from_secs(60));
    runtime.block_on(state.lease("production", &holder, Duration::ZERO)).unwrap()
}

fn held() {
    let project = Project::new();
    let lease = hold(&project);
    let document = || of([project.deployment("production", "t3.micro")]);
    let ran = project.run(document(), &["deploy", "--yes"]).ended(1);
    assert!(
        ran.stderr.contains("ann@desk") && ran.stderr.contains("`deploy production`"),
        "{}",
        ran.stderr
    );
    assert!(project.world().groups.is_empty());
    tokio::runtime::Runtime::new().unwrap().block_on(lease.release()).unwrap();
    project.run(document(), &["deploy", "--yes", "--lock-timeout", "5"]).ended(0);
    assert_eq!(project.world().groups.len(), 1);
}

fn begun() {
    let project = Project::new();
    let document = || of([project.deployment("production", "t3.micro")]);
    project.run(document(), &["deploy", "--yes"]).ended(0);
    let status = |args: &[&str]| project.run(document(), &[&["status"], args].concat()).ended(0);
    assert!(!status(&[]).stdout.contains("not ended"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = project.path("store/deployments/shop");
    let state = kiln_state::Shared::in_folder(path, Duration::from_secs(60));
    let (who, run) = ("ann@desk".to_owned(), "another".to_owned());
    let holder = Holder { who, run, command: "deploy production".into() };
    runtime.block_on(async {
        let lease = state.lease("production", &holder, Duration::ZERO).await.unwrap();
        let ending = state.history("production").await.unwrap().remove(0);
        let capacity = Capacity { min: 2, desired: 2, max: 2 };
        let (image, from) = (ending.image.clone(), vec![1]);
        let intent = Intent { generation: 2, from, image, capacity, holder, at: 60, ending };
        lease.intend(Some(&intent)).await.unwrap();
    });
    let said = status(&[]).stdout;
    let line =
        "not ended: `deploy production` by ann@desk since 1970-01-01 00:01:00 UTC, generation 2";
    assert!(said.contains(line), "{said}");
    let json = status(&["--format", "json"]).json();
    assert_eq!(json["deployments"][0]["unfinished"]["who"], "ann@desk");
}

fn destroy_elsewhere() {
    let project = Project::new();
    let at = |region: &str| {
        let target = target::ec2().region(region).instance_type("t3.micro");
        of([project.deployment("production", "t3.micro").target(target)])
    };
    project.run(at("eu-west-1"), &["deploy", "--yes"]).ended(0);
    let lease = hold(&project);
    let refused = project.run(at("eu-west-1"), &["destroy", "production", "--yes"]).ended(1);
    for words in ["ann@desk", "`deploy production`", "--lock-timeout", "1 failed"] {
        assert!(refused.stderr.contains(words), "{words} in {}", refused.stderr);
    }
    assert_eq!(project.world().groups.len(), 1);
    tokio::runtime::Runtime::new().unwrap().block_on(lease.release()).unwrap();
    // The recipe says another region now: what runs in the environment's is found all the same.
    let other = ["destroy", "production", "--yes", "--region", "us-east-1"];
    let nothing = project.run(at("us-east-1"), &other).ended(0);
    assert!(nothing.stdout.contains("nothing is there"), "{}", nothing.stdout);
    let mistyped = ["destroy", "production", "--yes", "--region", "us-est-1"];
    let refused = project.run(at("us-east-1"), &mistyped).ended(1);
    assert!(refused.stderr.contains("these are `us-east-1` and `eu-west-1`"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("AWS_REGION"), "{}", refused.stderr);
    // Nor need the environment say where it was, where other recipes do.
    let both = || {
        let target = |region| target::ec2().region(region).instance_type("t3.micro");
        let [moved, stays] = [("production", "us-east-1"), ("staging", "eu-west-1")]
            .map(|(name, region)| project.deployment(name, "t3.micro").target(target(region)));
        of([moved, stays])
    };
    let plan = project.run(both(), &["plan"]).ended(0).stdout;
    assert!(plan.contains("`destroy production --region eu-west-1` removes it"), "{plan}");
    let gone = project.run(at("us-east-1"), &["destroy", "production", "--yes"]).ended(0);
    assert!(gone.stdout.contains("is destroyed in eu-west-1"), "{}", gone.stdout);
    assert!(project.world().groups.is_empty());
}

fn reason_elsewhere() {
    let mut project = Project::new();
    let write = |text: &str| {
        std::fs::create_dir_all(project.path("site")).unwrap();
        std::fs::write(project.path("site/index.html"), text).unwrap();
    };
    write("hello");
    std::fs::write(project.path("site/other.html"), "stays").unwrap();
    let root = project.path("").to_str().unwrap().to_owned();
    let document = || {
        let site = Layer::new("site").step(step::copy("site/", "/srv/www"));
        let image = Image::new("web", &root).base(scratch()).layer(site);
        of([project.deployment("production", "t3.micro").image(image)])
    };
    let (state, documents) = ("shared", [document(), document(), document()]);
    let state = ["--state", state];
    let [first, second, third] = documents;
    project.run(first, &[&["deploy", "--yes"], &state[..]].concat()).ended(0);
    let kept = std::fs::read_dir(project.path("shared/shop/.images")).unwrap();
    let kept = kept.filter(|entry| entry.as_ref().unwrap().path().extension().is_some());
    assert_eq!(kept.count(), 1, "what was deployed is kept with the state");
    write("good day");
    project.store = "another";
    let line = "image: web changed: layer `site`: in `site`: `index.html` changed";
    for nothing_is_baked in [false, true] {
        project.nothing_is_baked = nothing_is_baked;
        let plan = project.run(second.clone(), &[&["plan"], &state[..]].concat()).ended(0).stdout;
        assert!(plan.contains(line), "{plan}");
    }
    project.nothing_is_baked = false;
    project.run(second, &[&["deploy", "--yes"], &state[..]].concat()).ended(0);
    let history = project.run(third, &[&["history", "production"], &state[..]].concat());
    let history = history.ended(0).stdout;
    assert!(history.contains(line), "{history}");
}
