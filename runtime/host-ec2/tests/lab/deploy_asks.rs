//! What is asked at a terminal before anything is changed.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, NAME, page, recipes, told};
use super::project::Project;
use super::terminal::Terminal;

#[test]
fn deploy_asks_and_destroy_lists_everything_and_wants_the_name() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let one = told(page(&project), "one");
    fleet.prepare(&one);
    let document = serde_json::to_vec(&recipes([one.clone()])).unwrap();
    std::fs::write(project.path("document.json"), document).unwrap();

    let deploy = || Terminal::of(&lab, &project, "deploy --store store <document.json");
    let mut asked = deploy();
    let screen = asked.until("Deploy? [y/N] ");
    assert!(screen.contains("is created: generation 1"), "{screen}");
    asked.types("n");
    asked.until("nothing was changed");
    assert_eq!(asked.end(), Some(0));
    assert_eq!(fleet.left(), [""; 0]);
    let mut asked = deploy();
    asked.until("Deploy? [y/N] ");
    asked.types("y");
    assert_eq!(asked.end(), Some(0));

    // While one thinks about it, somebody else deploys: that is not what was agreed to.
    let two = serde_json::to_vec(&recipes([told(page(&project), "two")])).unwrap();
    std::fs::write(project.path("two.json"), two).unwrap();
    let mut asked = Terminal::of(&lab, &project, "deploy --store store <two.json");
    let screen = asked.until("Deploy? [y/N] ");
    assert!(screen.contains("rolls: generation 1 → 2"), "{screen}");
    fleet.run(&told(page(&project), "three"), &["deploy", "--yes"]).done();
    asked.types("y");
    asked.until("has changed since the plan");
    assert_eq!(asked.end(), Some(1));
    let there = fleet.left();
    assert!(there.len() > 6, "{there:?}");

    let destroy = || {
        let mut asked =
            Terminal::of(&lab, &project, "destroy production --store store <document.json");
        let screen = asked.until("Type `production` to go on: ");
        (asked, screen)
    };
    let (mut asked, screen) = destroy();
    let securities = lab.boto("[g['GroupId'] for g in ec2.describe_security_groups()['SecurityGroups'] if g['GroupName'] != 'default']");
    let securities =
        securities.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    // Security groups are listed by their ids.
    let named =
        there.iter().filter(|name| !name.ends_with("-servers") && !name.ends_with("-balancer"));
    for one in named.cloned().chain(securities) {
        assert!(screen.contains(&one), "`{one}` goes and is not listed:\n{screen}");
    }
    asked.types("prod");
    asked.until("it stays as it is");
    assert_eq!(asked.end(), Some(0));
    assert_eq!(fleet.left(), there, "a wrong name was taken for a yes");
    let (mut asked, _) = destroy();
    asked.types(NAME);
    assert_eq!(asked.end(), Some(0));
    assert_eq!(fleet.left(), [""; 0]);
}
