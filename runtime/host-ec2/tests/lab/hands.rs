//! The machine of a step that failed, in the hands of a person.

use super::cloud::Lab;
use super::project::Project;
use kiln::{Document, Image, Layer, step};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// No machine of these tests takes as long to be there.
const LONGEST: Duration = Duration::from_secs(120);

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
    // `script` makes the terminal that a person sits at.
    let host = format!(
        "exec {} bake --builder ec2 --store store --format json --on-error shell <document.json >events 2>said",
        env!("CARGO_BIN_EXE_kiln-host-ec2")
    );
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &host, "/dev/null"])
        .current_dir(project.folder.path())
        .envs(lab.environment.iter().cloned())
        .env("HOME", project.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let shown = listen(terminal.stdout.take().unwrap());
    let mut keyboard = terminal.stdin.take().unwrap();
    let screen = until(&shown, "# ");
    keyboard.write_all(b"cat /etc/one /etc/two; tty\n").unwrap();
    let screen = screen + &until(&shown, "/dev/pts/");
    assert!(screen.contains("done before") && screen.contains("half done"), "{screen}");
    keyboard.write_all(b"exit\n").unwrap();
    let code = terminal.wait().unwrap().code();
    let said = std::fs::read_to_string(project.path("said")).unwrap();
    assert_eq!(code, Some(1), "{said}");
    let events = std::fs::read_to_string(project.path("events")).unwrap();
    assert!(events.contains("exited with status 1"), "the failure is reported too: {events}");
    assert_eq!(lab.instances(), [""; 0], "the machine goes when the person leaves");
    assert_eq!(std::fs::read_dir(project.path("store/ec2/runs")).unwrap().count(), 0);
}

/// Passes on what is shown, as it is shown.
fn listen(mut screen: impl Read + Send + 'static) -> Receiver<String> {
    let (to, shown) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = screen.read(&mut buffer) {
            let _ = to.send(String::from_utf8_lossy(&buffer[..count]).into_owned());
        }
    });
    shown
}

/// What is shown up to some words.
fn until(shown: &Receiver<String>, words: &str) -> String {
    let mut screen = String::new();
    while !screen.contains(words) {
        match shown.recv_timeout(LONGEST) {
            Ok(text) => screen.push_str(&text),
            Err(error) => panic!("{error}, no `{words}` in: {screen}"),
        }
    }
    screen
}
