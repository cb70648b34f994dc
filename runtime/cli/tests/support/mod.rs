//! The host as a process, on documents made with the builder.
//!
//! Needs root and the programs that `cargo xtask ci` installs. The Debian base is baked once into a store
//! that all tests share (`KILN_TEST_STORE`, or `/var/tmp/kiln-test-store`).

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use kiln::prelude::*;
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// A folder for one test: recipes' inputs, lock file, output.
pub struct Project {
    pub folder: tempfile::TempDir,
    pub store: PathBuf,
}

/// How the host ended, and what it said.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    /// A project on the shared store, whose lock file has the Debian base already.
    pub fn new() -> Self {
        let store = shared_store();
        let folder = tempfile::Builder::new().prefix("kiln-test-").tempdir_in("/var/tmp").unwrap();
        std::fs::copy(store.join("kiln.lock"), folder.path().join("kiln.lock")).unwrap();
        Self { folder, store }
    }

    /// A project with a store of its own, which starts as a copy of nothing.
    pub fn with_own_store() -> Self {
        let mut project = Self::new();
        project.store = project.folder.path().join("store");
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// An image with the given layers on the shared Debian base.
    pub fn debian(&self, name: &str) -> Image {
        Image::new(name, self.folder.path().to_str().unwrap()).base(debian("bookworm"))
    }

    /// An image with the given layers on nothing.
    pub fn empty(&self, name: &str) -> Image {
        Image::new(name, self.folder.path().to_str().unwrap()).base(scratch())
    }

    pub fn run(&self, image: Image, args: &[&str]) -> Ran {
        self.run_document(Document::new("shop").image(image), args)
    }

    pub fn run_document(&self, document: Document, args: &[&str]) -> Ran {
        let mut child = self.start_with(document, args);
        let stdout = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || std::io::read_to_string(stdout).unwrap());
        let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        let code = child.wait().unwrap().code();
        Ran { code, stdout: reader.join().unwrap(), stderr }
    }

    /// Starts the host and gives it the Document.
    pub fn start(&self, image: Image, args: &[&str]) -> Child {
        self.start_with(Document::new("shop").image(image), args)
    }

    fn start_with(&self, document: Document, args: &[&str]) -> Child {
        let document = serde_json::to_vec(&document).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_kiln-host"))
            .args(args)
            .arg("--store")
            .arg(&self.store)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A host that has found fault with its arguments does not read.
        let _ = child.stdin.take().unwrap().write_all(&document);
        child
    }

    pub fn bake(&self, image: Image) -> Ran {
        self.run(image, &["bake", "--format", "json"])
    }
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
        assert_eq!(last["event"], "summary", "{}", self.stdout);
        let count = |name: &str| last[name].as_u64().unwrap();
        (count("built"), count("cached"), count("failed"))
    }

    /// The one `failed` or `error` event.
    pub fn failure(&self) -> Value {
        let is_failure = |e: &Value| e["event"] == "failed" || e["event"] == "error";
        let found: Vec<Value> = self.events().into_iter().filter(is_failure).collect();
        assert_eq!(found.len(), 1, "{}\n{}", self.stdout, self.stderr);
        found[0].clone()
    }

    /// Asserts that the one failure says this, points into a test's source, and that the host ended with 1.
    pub fn failed_with(&self, words: &str) -> Value {
        let failure = self.failure();
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains(words), "`{words}` is not in: {failure:#}");
        assert!(failure["origin"]["file"].as_str().unwrap().contains("tests/"), "{failure:#}");
        assert_eq!(self.code, Some(1));
        failure
    }

    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Waits until the host says something that matches, and returns everything said until then.
pub fn wait_for(
    child: &mut Child,
    matches: impl Fn(&Value) -> bool,
) -> BufReader<std::process::ChildStdout> {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        if matches(&serde_json::from_str(&line).unwrap()) {
            return reader;
        }
        line.clear();
    }
    panic!("the host ended before it said what was waited for");
}

/// Nothing of the store is mounted, running or recorded as running.
pub fn assert_nothing_left(store: &Path) {
    let sandbox = store.join("sandbox");
    let text = sandbox.to_str().unwrap();
    for process in std::fs::read_dir("/proc").unwrap() {
        let process = process.unwrap().path();
        let own = process.file_name().and_then(|n| n.to_str()?.parse::<u32>().ok());
        if own.is_none() {
            continue;
        }
        for what in ["mountinfo", "cmdline"] {
            let found = std::fs::read(process.join(what)).unwrap_or_default();
            let found = String::from_utf8_lossy(&found).replace('\0', " ");
            assert!(!found.contains(&format!("{text}/runs")), "{}: {found}", process.display());
        }
    }
    let runs = sandbox.join("runs");
    let left: Vec<_> =
        std::fs::read_dir(&runs).into_iter().flatten().map(|e| e.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The store that tests share, with the Debian base baked and locked.
fn shared_store() -> PathBuf {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    STORE
        .get_or_init(|| {
            let named = std::env::var_os("KILN_TEST_STORE").map(PathBuf::from);
            let store = named.unwrap_or_else(|| "/var/tmp/kiln-test-store".into()).join("host");
            std::fs::create_dir_all(&store).unwrap();
            // Other test processes want the same base.
            let guard = std::fs::File::create(store.join("prepare")).unwrap();
            flock(&guard, FlockOperation::LockExclusive).unwrap();
            let folder = tempfile::tempdir_in("/var/tmp").unwrap();
            let lock = store.join("kiln.lock");
            if lock.exists() {
                std::fs::copy(&lock, folder.path().join("kiln.lock")).unwrap();
            }
            let project = Project { folder, store: store.clone() };
            project.bake(project.debian("base")).done();
            std::fs::copy(project.path("kiln.lock"), &lock).unwrap();
            store
        })
        .clone()
}
