//! The example `web`: one recipe, an image of the sandbox and an AMI.

use super::cloud::Lab;
use kiln::Document;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Versions of packages by their names.
type Packages = BTreeMap<String, String>;

#[test]
fn the_sandbox_and_ec2_bake_the_same_server_of_one_recipe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let page = std::fs::read_to_string(root.join("recipes/files/web/site/index.html")).unwrap();
    let lab = Lab::up(&[]);
    let host = Host {
        folder: tempfile::Builder::new().prefix("kiln-test-").tempdir_in("/var/tmp").unwrap(),
        document: document(&root, &page),
        environment: &lab.environment,
    };
    let (of_sandbox, ami) = std::thread::scope(|scope| {
        let sandbox = scope.spawn(|| host.by_sandbox());
        let ami = host.by_ec2();
        (sandbox.join().unwrap(), ami)
    });
    let instance = launch(&lab, &ami);
    let address = lab.boto(&format!(
        "ec2.describe_instances(InstanceIds=['{instance}'])['Reservations'][0]['Instances'][0]['PrivateIpAddress']"
    ));
    let address = address.as_str().unwrap();
    lab.let_in(80);
    assert_eq!(served(&format!("http://{address}/")), page);
    assert_eq!(served(&format!("http://{address}/healthz")).trim(), "ok");

    let installed = |instance: &str| packages(&lab.inside(instance, "cat /var/lib/dpkg/status"));
    let of_ami = installed(&instance);
    let of_base = installed(&launch(&lab, &host.base()));
    let names = |packages: &Packages| packages.keys().cloned().collect::<BTreeSet<_>>();
    let lacks: Vec<String> = names(&of_sandbox).difference(&names(&of_ami)).cloned().collect();
    assert_eq!(lacks, [""; 0], "the AMI has all that the sandbox's image has");
    assert!(of_sandbox.contains_key("nginx") && of_sandbox.len() > 100, "{of_sandbox:#?}");
    // The official AMI is a larger base, and one of its own day; what the recipe adds is the same.
    let added: Packages =
        of_ami.into_iter().filter(|(name, version)| of_base.get(name) != Some(version)).collect();
    assert!(added.contains_key("nginx"), "{added:#?}");
    let sandbox = added.keys().map(|name| (name.clone(), of_sandbox.get(name).cloned()));
    let ec2 = added.iter().map(|(name, version)| (name.clone(), Some(version.clone())));
    assert_eq!(ec2.collect::<Vec<_>>(), sandbox.collect::<Vec<_>>());
}

/// What the examples print, with `web`'s test asking for the whole page. They are compiled apart: a compilation
/// that is under way has the target directory locked.
fn document(root: &Path, page: &str) -> Vec<u8> {
    let printed = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--package", "recipes"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success(), "{said}");
    let mut document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let images = document["images"].as_array_mut().unwrap();
    let web = images.iter_mut().find(|image| image["name"] == "web").unwrap();
    assert_eq!(web["tests"][0]["name"], "serves_the_page");
    web["tests"][0]["probe"]["http"]["body"] = json!(page);
    // It is still a Document.
    let document: Document = serde_json::from_value(document).unwrap();
    serde_json::to_vec(&document).unwrap()
}

/// Where the sandbox's base is kept between runs of the tests.
fn store() -> PathBuf {
    let of_tests = std::env::var_os("KILN_TEST_STORE");
    let store = of_tests.map_or("/var/tmp/kiln-test-store".into(), PathBuf::from).join("examples");
    std::fs::create_dir_all(&store).unwrap();
    store
}

struct Host<'a> {
    folder: tempfile::TempDir,
    document: Vec<u8>,
    environment: &'a [(String, String)],
}

impl Host<'_> {
    /// Bakes, tests and exports; returns the packages of the image. Its tests ask for the same page, whole.
    fn by_sandbox(&self) -> Packages {
        let store = store();
        let run = |args: &[&str]| self.run("sandbox", &store, args);
        run(&["update", "web"]);
        let tested = run(&["test", "web"]);
        let tests = tested.iter().filter(|event| event["event"] == "test");
        assert_eq!(tests.clone().count(), 3, "{tested:#?}");
        assert!(tests.clone().all(|test| test["failure"].is_null()), "{tested:#?}");
        run(&["export", "web", "--output", "oci"]);
        packages(&status(&self.folder.path().join("oci")))
    }

    /// Bakes an AMI, which must pass the same tests.
    fn by_ec2(&self) -> String {
        let baked = self.run("ec2", Path::new("ec2"), &["update", "web"]);
        assert_eq!(baked.iter().filter(|event| event["event"] == "test").count(), 3, "{baked:#?}");
        let image = baked.iter().find(|event| event["event"] == "image").unwrap();
        image["artifact"].as_str().unwrap().to_owned()
    }

    /// The AMI that the recipe starts from.
    fn base(&self) -> String {
        let lock = std::fs::read_to_string(self.folder.path().join("ec2.lock")).unwrap();
        let from = lock.find("ami-").unwrap_or_else(|| panic!("no AMI is locked: {lock}"));
        lock[from..].chars().take_while(|char| *char != '"').collect()
    }

    /// The events of a command, which must end well.
    fn run(&self, builder: &str, store: &Path, args: &[&str]) -> Vec<Value> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kiln-host-ec2"))
            .args(args)
            .args(["--format", "json", "--builder", builder, "--store"])
            .arg(store)
            .args(["--lock-file", &format!("{builder}.lock")])
            .current_dir(self.folder.path())
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(&self.document);
        let ended = child.wait_with_output().unwrap();
        let (said, told) =
            (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert!(ended.status.success(), "{args:?}\n{said}\n{told}");
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// An instance of an AMI whose first boot is over.
fn launch(lab: &Lab, ami: &str) -> String {
    let launched = lab.boto(&format!(
        "ec2.run_instances(ImageId='{ami}', InstanceType='t3.micro', MinCount=1, MaxCount=1)['Instances'][0]['InstanceId']"
    ));
    let instance = launched.as_str().unwrap().to_owned();
    lab.until_running(&instance);
    lab.inside(&instance, "cloud-init status --wait >/dev/null");
    instance
}

/// What a page answers, as soon as somebody serves it.
fn served(url: &str) -> String {
    let begun = Instant::now();
    loop {
        match ureq::get(url).call() {
            Ok(mut answer) => return answer.body_mut().read_to_string().unwrap(),
            Err(error) if begun.elapsed() > Duration::from_secs(30) => panic!("{url}: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// dpkg's database of an OCI layout: that of the last layer which has one.
fn status(layout: &Path) -> String {
    let read = |digest: &Value| -> Value {
        serde_json::from_slice(&std::fs::read(blob(layout, digest)).unwrap()).unwrap()
    };
    let index: Value =
        serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    let manifest = read(&index["manifests"][0]["digest"]);
    let layers = manifest["layers"].as_array().unwrap();
    let found = layers.iter().rev().find_map(|layer| {
        let file = ["--wildcards", "*var/lib/dpkg/status"];
        let mut tar = Command::new("tar");
        tar.arg("-xzOf").arg(blob(layout, &layer["digest"])).args(file).stderr(Stdio::null());
        let output = tar.output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    });
    found.unwrap_or_else(|| panic!("no layer has packages: {manifest:#}"))
}

fn blob(layout: &Path, digest: &Value) -> PathBuf {
    layout.join("blobs").join(digest.as_str().unwrap().replace(':', "/"))
}

/// The packages that dpkg's database says are installed.
fn packages(status: &str) -> Packages {
    let field = |entry: &str, name: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    let installed = |entry: &&str| field(entry, "Status") == "install ok installed";
    let entries = status.split("\n\n").filter(installed);
    entries.map(|entry| (field(entry, "Package"), field(entry, "Version"))).collect()
}
