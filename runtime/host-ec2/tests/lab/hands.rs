//! The machine of a step that failed, in the hands of a person.

use super::cloud::Lab;
use super::project::Project;
use super::terminal::Terminal;
use kiln::{Document, Image, Layer, step};
use std::process::Command;

/// A layer that was baked before, and one whose command fails half way.
fn broken(project: &Project<'_>) -> Image {
    let layer = |name: &str, script: &str| Layer::new(name).step(step::run(script));
    let one = || project.debian("broken").layer(layer("one", "echo done before >/etc/one"));
    project.bake(one()).done();
    one().layer(layer("two", "echo half done >/etc/two; false"))
}

#[test]
fn a_kept_machine_is_entered_by_the_command_that_is_printed_and_stays() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let image = broken(&project);
    let args = ["bake", "--format", "json", "--on-error", "keep"];
    let failed = project.run(image.clone(), &args);
    assert_eq!(failed.code, Some(1), "{}", failed.stdout);
    let failure = failed.failure();
    let help = failure["help"].as_str().unwrap_or_else(|| panic!("no remedy: {failure}"));
    let (_, how) = help.split_once("enter it with: ").unwrap_or_else(|| panic!("{help}"));
    let (command, ends) = how.split_once("  (").unwrap_or_else(|| panic!("{help}"));
    // As a person does who pastes it; without anybody to believe a host key that is not known.
    let pasted = format!("{command} -F none -o BatchMode=yes 'cat /etc/one /etc/two'");
    let entered = Command::new("sh").args(["-c", &pasted]).output().unwrap();
    let said = String::from_utf8_lossy(&entered.stderr);
    assert!(entered.status.success(), "{pasted}: {said}");
    assert_eq!(String::from_utf8_lossy(&entered.stdout), "done before\nhalf done\n");
    // It is a person's now: neither the next bake nor `gc` takes it.
    let instance = lab.instances().pop().unwrap();
    assert!(ends.contains(&instance), "{help}");
    project.bake(project.debian("another").layer(Layer::new("x").step(step::run("true")))).done();
    project.run(image, &["gc", "--yes", "--format", "json"]).done();
    assert_eq!(lab.instances(), [instance]);
}

#[test]
fn a_shell_is_opened_in_the_machine_and_both_end_together() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let document = Document::new("shop").image(broken(&project));
    std::fs::write(project.path("document.json"), serde_json::to_vec(&document).unwrap()).unwrap();
    let args = "bake --builder ec2 --store store --format json --on-error shell <document.json >events 2>said";
    let mut terminal = Terminal::of(&lab, &project, args);
    terminal.until("# ");
    terminal.types("cat /etc/one /etc/two; tty");
    let screen = terminal.until("/dev/pts/");
    assert!(screen.contains("done before") && screen.contains("half done"), "{screen}");
    terminal.types("exit");
    let code = terminal.end();
    let said = std::fs::read_to_string(project.path("said")).unwrap();
    assert_eq!(code, Some(1), "{said}");
    let events = std::fs::read_to_string(project.path("events")).unwrap();
    assert!(events.contains("exited with status 1"), "the failure is reported too: {events}");
    assert_eq!(lab.instances(), [""; 0], "the machine goes when the person leaves");
    assert_eq!(std::fs::read_dir(project.path("store/ec2/runs")).unwrap().count(), 0);
}
