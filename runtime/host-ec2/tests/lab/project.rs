//! Recipes of a test, and the host that bakes them.

use super::cloud::Lab;
use kiln::{Document, Image, Layer, debian, step};
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// No command of these tests takes as long: a deploy behind a network load balancer waits for two minutes alone.
const LONGEST: Duration = Duration::from_secs(300);

/// A folder for one test: recipes' inputs, lock file, store.
pub struct Project<'a> {
    lab: &'a Lab,
    pub folder: tempfile::TempDir,
    /// In place of the lab's, or taken away.
    pub environment: Vec<(&'static str, Option<&'static str>)>,
}

/// How the host ended, and what it said.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl<'a> Project<'a> {
    pub fn new(lab: &'a Lab) -> Self {
        let folder = tempfile::Builder::new().prefix("kiln-test-").tempdir_in("/var/tmp").unwrap();
        Self { lab, folder, environment: Vec::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// An image on Debian's own.
    pub fn debian(&self, name: &str) -> Image {
        Image::new(name, self.folder.path().to_str().unwrap()).base(debian("bookworm"))
    }

    /// Three layers: an account and a directory, a tree, and a file with this text that all see.
    pub fn three_layers(&self, text: &str) -> Image {
        self.write("site/index.html", "hello");
        self.write("site/deep/er/page.html", "page");
        self.debian("web")
            .layer(
                Layer::new("account")
                    .step(step::user("site").uid(1000))
                    .step(step::run("test \"$(id -u site)\" = 1000; mkdir /srv/site")),
            )
            .layer(Layer::new("pages").step(step::copy("site/", "/srv/site").owner("site")))
            .layer(
                Layer::new("settings")
                    .step(step::file("/etc/site.conf").content(text))
                    .step(step::run("grep -q . /etc/site.conf; test -f /srv/site/index.html")),
            )
    }

    pub fn start(&self, image: Image, args: &[&str]) -> Child {
        self.start_on(&Document::new("shop").image(image), args)
    }

    /// Starts the host on whatever the recipes print.
    pub fn start_on(&self, document: &Document, args: &[&str]) -> Child {
        let document = serde_json::to_vec(document).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln-host-ec2"));
        command
            .args(args)
            .arg("--store")
            .arg(self.path("store"))
            .current_dir(self.folder.path())
            // Nothing of whoever runs the tests.
            .env("HOME", self.folder.path())
            .env("NO_COLOR", "1")
            .env("KILN_BUILDER", "ec2");
        let variables = std::env::vars_os().map(|(name, _)| name);
        for name in variables.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.envs(self.lab.environment.iter().cloned());
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A host that has found fault with its arguments does not read.
        let _ = child.stdin.take().unwrap().write_all(&document);
        child
    }

    pub fn run(&self, image: Image, args: &[&str]) -> Ran {
        self.run_on(&Document::new("shop").image(image), args)
    }

    /// Runs the host to its end. One that does not come to its end is killed, so that what it said is seen.
    pub fn run_on(&self, document: &Document, args: &[&str]) -> Ran {
        end(self.start_on(document, args))
    }

    /// Bakes. The first time it resolves what comes from outside too, as a new project does.
    pub fn bake(&self, image: Image) -> Ran {
        let is_first = !self.path("kiln.lock").exists();
        self.run(image, &[if is_first { "update" } else { "bake" }, "--format", "json"])
    }

    /// The AMI of an image that bakes.
    pub fn ami(&self, image: &Image) -> String {
        self.bake(image.clone()).done();
        self.bake(image.clone()).done().ami()
    }
}

/// Waits until it ends, and hears what it says.
pub fn end(mut child: Child) -> Ran {
    let stdout = child.stdout.take().unwrap();
    let stderr = child.stderr.take().unwrap();
    let stdout = std::thread::spawn(move || std::io::read_to_string(stdout).unwrap());
    let stderr = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap());
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let pid = child.id().to_string();
    let watch = std::thread::spawn(move || {
        if end.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
            Command::new("kill").args(["-KILL", &pid]).status().unwrap();
        }
    });
    let code = child.wait().unwrap().code();
    drop(ended);
    watch.join().unwrap();
    Ran { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

impl Ran {
    pub fn events(&self) -> Vec<Value> {
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Built, cached and failed, of the summary, which must be the last event.
    pub fn counts(&self) -> (u64, u64, u64) {
        let events = self.events();
        let last = events.last().unwrap_or_else(|| panic!("no event\n{}", self.stderr));
        assert_eq!(last["event"], "summary", "{}\n{}", self.stdout, self.stderr);
        let count = |name: &str| last[name].as_u64().unwrap();
        (count("built"), count("cached"), count("failed"))
    }

    /// The layers of an event, in their order.
    pub fn layers(&self, event: &str) -> Vec<String> {
        let events = self.events().into_iter().filter(|e| e["event"] == event);
        events.map(|e| e["layer"].as_str().unwrap().to_owned()).collect()
    }

    /// That it ended well.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The AMI that was baked or found.
    pub fn ami(&self) -> String {
        let events = self.events();
        let image = events.iter().find(|e| e["event"] == "image");
        let image = image.unwrap_or_else(|| panic!("no image\n{}\n{}", self.stdout, self.stderr));
        image["artifact"].as_str().unwrap().to_owned()
    }

    /// The one `failed` or `error` event.
    pub fn failure(&self) -> Value {
        let is_failure = |e: &Value| e["event"] == "failed" || e["event"] == "error";
        let found: Vec<Value> = self.events().into_iter().filter(is_failure).collect();
        assert_eq!(found.len(), 1, "{}\n{}", self.stdout, self.stderr);
        found[0].clone()
    }
}
