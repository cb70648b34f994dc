//! Servers that listen elsewhere than those before them: rules, target group and health check change with the traffic.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, NAME, page};
use super::project::Project;
use kiln::{Deployment, Image, health, load_balancer, target};
use serde_json::json;

/// Servers that answer with a version on a port, and on no other.
fn on(port: u16, image: Image, version: &str) -> Deployment {
    let script = format!(
        "#!/bin/sh\necho {port} >/srv/port\nprintf %s '{version}' >/srv/told && mv /srv/told /srv/version\n"
    );
    super::deploy_fleet::deployment(image)
        .target(target::ec2().instance_type("t3.micro").user_data(script))
        .ports([port])
        .health(health::http().port(port).path("/").interval("5s").timeout("2s").within("60s"))
        .load_balancer(load_balancer::application().listen(80).to(port).drain("2s"))
}

/// The ports that servers let in, and how many sources each has.
fn let_in(lab: &Lab) -> serde_json::Value {
    lab.boto(
        "[[p['FromPort'], len(p['UserIdGroupPairs']), len(p['IpRanges'])] \
          for g in ec2.describe_security_groups()['SecurityGroups'] if g['GroupName'].endswith('-servers') \
          for p in g['IpPermissions']]",
    )
}

#[test]
fn servers_on_another_port_take_over_and_give_back_without_a_failed_request() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let one = on(80, page(&project), "one");
    let two = on(8080, page(&project), "two");
    let traffic = fleet.begin(&one);
    assert_eq!(let_in(&lab), json!([[80, 1, 0]]));
    traffic.switch("two", || fleet.run(&two, &["deploy", "--yes"]).done());
    assert_eq!(let_in(&lab), json!([[8080, 1, 0]]), "who has no traffic needs no rule");
    let plan = fleet.run(&two, &["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stdout);
    traffic.switch("one", || fleet.run(&two, &["rollback", NAME, "--yes"]).done());
    assert_eq!(let_in(&lab), json!([[80, 1, 0]]));
    drop(traffic);
    fleet.run(&two, &["destroy", NAME, "--yes"]).done();
    assert_eq!(fleet.left(), [""; 0]);
}
