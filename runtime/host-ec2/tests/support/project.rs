use super::Lab;
use kiln::prelude::*;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A directory with recipes' inputs, a lock file and a store.
pub struct Project {
    pub folder: TempDir,
}

/// What a run of the host did.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    pub fn new() -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("kiln-ec2-").tempdir_in("/var/tmp").unwrap(),
        }
    }

    /// An image on the official Debian.
    pub fn debian(&self, name: &str) -> Image {
        Image::new(name, self.folder.path().to_str().unwrap()).base(debian("bookworm"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the host on an image, in a lab, with `--builder ec2`.
    pub fn run(&self, lab: &Lab, image: Image, args: &[&str]) -> Ran {
        self.run_document(lab, &Document::new().image(image), args)
    }

    pub fn run_document(&self, lab: &Lab, document: &Document, args: &[&str]) -> Ran {
        let mut child = self.start(lab, document, args);
        let stdout = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || std::io::read_to_string(stdout).unwrap());
        let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        let code = child.wait().unwrap().code();
        Ran { code, stdout: reader.join().unwrap(), stderr }
    }

    /// Starts the host and gives it the Document.
    pub fn start(&self, lab: &Lab, document: &Document, args: &[&str]) -> Child {
        let mut child = self.command(args).envs(&lab.environment).spawn().unwrap();
        let document = serde_json::to_vec(document).unwrap();
        // A host that has found fault with its arguments does not read.
        let _ = child.stdin.take().unwrap().write_all(&document);
        child
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln-host-ec2"));
        command
            .args(args)
            .args(["--builder", "ec2", "--store"])
            .arg(self.path("store"))
            .current_dir(self.folder.path())
            // Nothing of whoever runs the tests.
            .env("HOME", self.folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Resolves what the recipe takes from outside, and bakes.
    pub fn update(&self, lab: &Lab, image: Image) -> Ran {
        self.run(lab, image, &["update", "--format", "json"]).done()
    }

    pub fn bake(&self, lab: &Lab, image: Image) -> Ran {
        self.run(lab, image, &["bake", "--format", "json"])
    }
}

impl Ran {
    pub fn events(&self) -> Vec<Value> {
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The nodes of which there is an event of this kind, as `image/layer`.
    pub fn nodes(&self, event: &str) -> Vec<String> {
        let events = self.events().into_iter().filter(|seen| seen["event"] == event);
        let text = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
        events.map(|e| format!("{}/{}", text(&e, "image"), text(&e, "layer"))).collect()
    }

    /// What an image became.
    pub fn artifact(&self, image: &str) -> String {
        let events = self.events();
        let found = events.iter().find(|e| e["event"] == "image" && e["image"] == image);
        let found = found.unwrap_or_else(|| panic!("no `{image}`\n{self:?}"));
        found["artifact"].as_str().unwrap().to_owned()
    }

    /// That it ended well.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The one node, or mistake, that failed, with its message.
    #[track_caller]
    pub fn failure(&self) -> Value {
        assert_eq!(self.code, Some(1), "{}\n{}", self.stdout, self.stderr);
        let events = self.events();
        let failed = events.iter().find(|e| e["event"] == "failed" || e["event"] == "error");
        failed.unwrap_or_else(|| panic!("nothing failed\n{}", self.stdout)).clone()
    }
}
