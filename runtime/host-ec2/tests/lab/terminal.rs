//! The host at a terminal that a person sits at.

use super::cloud::Lab;
use super::project::Project;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Nothing in these tests takes as long to be shown.
const LONGEST: Duration = Duration::from_secs(120);

pub struct Terminal {
    process: Child,
    keyboard: Option<ChildStdin>,
    shown: Receiver<String>,
    screen: String,
}

impl Terminal {
    /// Runs the host with these arguments, as a shell reads them, in the project's folder.
    pub fn of(lab: &Lab, project: &Project<'_>, args: &str) -> Self {
        let host = format!("exec {} {args}", env!("CARGO_BIN_EXE_kiln-host-ec2"));
        let mut process = Command::new("script")
            .args(["--quiet", "--return", "--command", &host, "/dev/null"])
            .current_dir(project.folder.path())
            .envs(lab.environment.iter().cloned())
            .env("HOME", project.folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let shown = listen(process.stdout.take().unwrap());
        let keyboard = process.stdin.take();
        Self { process, keyboard, shown, screen: String::new() }
    }

    /// What is shown up to some words.
    pub fn until(&mut self, words: &str) -> String {
        while !self.screen.contains(words) {
            match self.shown.recv_timeout(LONGEST) {
                Ok(text) => self.screen.push_str(&text),
                Err(error) => panic!("{error}, no `{words}` in: {}", self.screen),
            }
        }
        std::mem::take(&mut self.screen)
    }

    /// A line, and Enter.
    pub fn types(&mut self, line: &str) {
        let keyboard = self.keyboard.as_mut().unwrap();
        keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// How the host ended.
    pub fn end(mut self) -> Option<i32> {
        let code = self.process.wait().unwrap().code();
        drop(self.keyboard.take());
        code
    }
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
