use crate::world::{self, World};
use kiln::prelude::*;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A folder with a world, a store and a lock file.
pub struct Project {
    folder: tempfile::TempDir,
    pub nothing_is_baked: bool,
    /// The folder of the store: each machine has its own.
    pub store: &'static str,
}

/// How the host ended, and what it said.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), nothing_is_baked: false, store: "store" }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An image whose one file has this text.
    pub fn image(&self, text: &str) -> Image {
        let page = Layer::new("site").step(step::file("/srv/index.html").content(text));
        Image::new("web", self.folder.path().to_str().unwrap()).base(scratch()).layer(page)
    }

    /// A deployment of such an image.
    pub fn deployment(&self, name: &str, instance_type: &str) -> Deployment {
        Deployment::new(name)
            .image(self.image("hello"))
            .target(target::ec2().region("eu-west-1").instance_type(instance_type))
            .replicas(2)
    }

    pub fn world(&self) -> World {
        World::read(self.path("world"))
    }

    pub fn change(&self, how: impl FnOnce(&mut World)) {
        let mut world = self.world();
        how(&mut world);
        world.write(self.path("world"));
    }

    /// Runs the host where there is no terminal.
    pub fn run(&self, document: Document, args: &[&str]) -> Ran {
        let mut command = Command::new("setsid");
        command.arg("--wait").arg(std::env::current_exe().unwrap()).args(args);
        command.arg("--store").arg(self.path(self.store));
        if self.nothing_is_baked {
            command.env(world::NOTHING_BAKED, "1");
        }
        let mut child = command
            .current_dir(self.folder.path())
            .env(world::FILE, self.path("world"))
            .env("NO_COLOR", "1")
            .env_remove("KILN_STATE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let text = serde_json::to_vec(&document).unwrap();
        // A host that has found fault with its arguments does not read.
        let _ = child.stdin.take().unwrap().write_all(&text);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}
