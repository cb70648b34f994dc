//! What an AMI is, what must pass before there is one, and what layers may do on the way.

use super::cloud::Lab;
use super::project::Project;
use kiln::prelude::*;
use serde_json::{Value, json};
use std::io::{Read, Write};

/// An account, a tree that it owns, and a file.
fn site(project: &Project<'_>) -> Image {
    for (name, text) in [("site/index.html", "hello"), ("site/deep/er/page.html", "page")] {
        let path = project.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    project
        .debian("site")
        .layer(
            Layer::new("account")
                .step(step::user("site").uid(1000))
                .step(step::run("test \"$(id -u site) $(id -g site)\" = \"1000 1000\"")),
        )
        .layer(
            Layer::new("pages")
                .step(step::copy("site/", "/srv/site").owner("site"))
                .step(step::file("/etc/site.conf").content("a").mode(0o600)),
        )
}

#[test]
fn an_ami_says_all_that_registering_does_not_inherit() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let image = site(&project).builder(ec2().tags([("team", "web")]));
    let ami = project.ami(&image);
    let image = lab.boto(&format!("ec2.describe_images(ImageIds=['{ami}'])['Images'][0]"));
    assert_eq!(image["Architecture"], "x86_64");
    assert_eq!(image["EnaSupport"], true);
    assert_eq!(image["BootMode"], "uefi-preferred", "as the base has it");
    assert_eq!(image["ImdsSupport"], "v2.0");
    assert_eq!(image["RootDeviceName"], "/dev/xvda");
    let disk = &image["BlockDeviceMappings"][0]["Ebs"];
    assert_eq!((&disk["VolumeType"], &disk["DeleteOnTermination"]), (&json!("gp3"), &json!(true)));
    let tags = image["Tags"].as_array().unwrap();
    let tag = |key: &str| tags.iter().find(|tag| tag["Key"] == key).map(|tag| &tag["Value"]);
    assert_eq!(tag("kiln:image"), Some(&json!("site")));
    assert_eq!(tag("team"), Some(&json!("web")));
    for key in ["key", "parent", "run", "owner", "project", "expires"] {
        assert!(tag(&format!("kiln:{key}")).is_some(), "{key}: {tags:?}");
    }
}

#[test]
fn a_machine_of_an_ami_has_its_content_and_nothing_of_the_machine_that_baked_it() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let traces = "cp /etc/machine-id /etc/of-the-bake; echo ls >/root/.bash_history; \
                  echo x >/var/log/x.log; touch /var/tmp/left; apt-get -q update";
    let image = site(&project).layer(Layer::new("traces").step(step::run(traces).network(true)));
    let ami = project.ami(&image);
    let launch = "InstanceType='t3.micro', MinCount=1, MaxCount=1)['Instances'][0]['InstanceId']";
    let instance = lab.boto(&format!("ec2.run_instances(ImageId='{ami}', {launch}"));
    let instance = instance.as_str().unwrap();
    lab.until_running(instance);
    let inside = |script: &str| lab.inside(instance, script);
    inside("cloud-init status --wait >/dev/null");
    assert_eq!(inside("cat /etc/site.conf /srv/site/deep/er/page.html"), "apage");
    assert_eq!(inside("stat -c '%U %a' /srv/site/index.html /etc/site.conf"), "site 644\nroot 600");
    assert_ne!(inside("cat /etc/machine-id"), inside("cat /etc/of-the-bake"));
    assert_eq!(inside("ls -A /var/tmp | grep -v systemd-private || true"), "");
    assert_eq!(inside("ls /root/.bash_history 2>/dev/null || true"), "");
    assert_eq!(inside("cat /var/log/x.log"), "");
    assert_eq!(inside("ls /var/lib/apt/lists | grep Packages || true"), "");
    // The distribution's own user comes as on any machine, with the number after the recipe's.
    assert_eq!(inside("id -u admin"), "1001");
    assert_eq!(inside("ss -ltnH 'sport = 6022'"), "", "nobody of the bake listens");
    assert_eq!(inside("grep -rl kiln /etc /root /home /var/lib 2>/dev/null || true"), "");
}

/// A page on port 8080.
fn served(project: &Project<'_>) -> Image {
    let unit = "[Service]\nExecStart=/usr/bin/python3 -m http.server 8080 -d /srv/www\n\
                [Install]\nWantedBy=multi-user.target\n";
    project.debian("served").layer(
        Layer::new("service")
            .step(step::file("/srv/www/index.html").content("welcome"))
            .step(step::unit("www.service").content(unit).enable(true)),
    )
}

#[test]
fn tests_run_on_the_machine_after_its_first_boot() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let image = served(&project)
        // Every name is the machine itself.
        .test(Test::new("serves").http("http://www.example:8080/").body("welcome"))
        .test(Test::new("lacks").http("http://localhost:8080/nothing").status(404))
        .test(Test::new("listens").tcp(8080))
        .test(Test::new("runs").run("systemctl is-active www"))
        .test(Test::new("waits").tcp(80).within("1s"));
    let ran = project.bake(image);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let failure = |name: &str| -> Value {
        let events = ran.events();
        let event = events.iter().find(|e| e["event"] == "test" && e["test"] == name);
        event.unwrap_or_else(|| panic!("{}\n{}", ran.stdout, ran.stderr))["failure"].clone()
    };
    for name in ["serves", "lacks", "listens", "runs"] {
        assert!(failure(name).is_null(), "{name}: {}", failure(name));
    }
    assert!(failure("waits").as_str().unwrap().contains("port 80"), "{}", failure("waits"));
}

#[test]
fn a_failing_test_keeps_no_image_and_the_layers_stay() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let probe =
        |text: &str| Test::new("serves").http("http://localhost:8080/").body(text).within("2s");
    let wrong = served(&project).test(probe("goodbye"));
    let failed = project.bake(wrong);
    assert_eq!(failed.code, Some(1), "{}", failed.stdout);
    assert_eq!(lab.instances(), [""; 0]);
    let ours = "if any(t['Key'] == 'kiln:run' for t in o.get('Tags', []))]";
    let images = lab.boto(&format!("[o['Name'] for o in ec2.describe_images()['Images'] {ours}"));
    assert_eq!(images, json!([]));
    let snapshots = lab
        .boto(&format!("[o['Description'] for o in ec2.describe_snapshots()['Snapshots'] {ours}"));
    assert_eq!(snapshots, json!(["served/service"]), "the image's own snapshot goes");
    let baked = project.bake(served(&project).test(probe("welcome"))).done();
    assert_eq!(baked.layers("built"), ["image"]);
}

#[test]
fn the_machine_that_tests_an_ami_is_such_as_the_recipe_says() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let subnet = lab.boto("ec2.describe_subnets()['Subnets'][-1]['SubnetId']");
    let subnet = subnet.as_str().unwrap();
    let builder = ec2().instance_type("t3.medium").subnet(subnet);
    let image = served(&project).builder(builder).test(Test::new("listens").tcp(8080));
    project.bake(image.clone()).done();
    let run = || project.run(image.clone(), &["test", "--format", "json"]);
    let (tested, calls) = lab.calls_of(run);
    let tested = tested.done();
    assert!(tested.events().iter().any(|event| event["event"] == "test"), "{}", tested.stdout);
    let launches: Vec<&Value> = calls
        .iter()
        .filter_map(|(action, parameters)| (action == "RunInstances").then_some(parameters))
        .collect();
    assert_eq!(launches.len(), 1, "{calls:?}");
    assert_eq!(launches[0]["InstanceType"], "t3.medium");
    assert_eq!(launches[0]["SubnetId"], subnet);
    // What is wrong with it is said at its line.
    let elsewhere = image.clone().builder(ec2().subnet("subnet-0123456789abcdef0"));
    let failed = project.run(elsewhere, &["test", "--format", "json"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stdout);
    let failure = failed.failure();
    assert!(failure["message"].as_str().unwrap().contains("subnet-0123456789abcdef0"), "{failure}");
    assert!(failure["origin"]["line"].is_u64(), "{failure}");
    assert_eq!(lab.instances(), [""; 0]);
}

/// What an AMI stands on.
fn snapshot_of(lab: &Lab, ami: &str) -> String {
    let snapshot = format!(
        "ec2.describe_images(ImageIds=['{ami}'])['Images'][0]['BlockDeviceMappings'][0]['Ebs']['SnapshotId']"
    );
    lab.boto(&snapshot).as_str().unwrap().to_owned()
}

#[test]
fn an_image_is_made_of_its_last_layers_snapshot_and_another_test_photographs_nothing() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let image = |text: &str| served(&project).test(Test::new("is").run(text));
    let (first, calls) = lab.calls_of(|| project.ami(&image("true")));
    let taken = |calls: &[(String, Value)]| {
        calls.iter().filter(|(action, _)| action == "CreateSnapshot").count()
    };
    assert_eq!(taken(&calls), 1, "{calls:?}");
    let snapshot = lab.boto(&format!(
        "ec2.describe_snapshots(SnapshotIds=['{}'])['Snapshots'][0]",
        snapshot_of(&lab, &first)
    ));
    let tags = snapshot["Tags"].as_array().unwrap();
    let tag = |key: &str| tags.iter().find(|tag| tag["Key"] == key).map(|tag| &tag["Value"]);
    assert_eq!(tag("kiln:layer"), Some(&json!("service")));
    assert_eq!(tag("kiln:clean"), Some(&json!("yes")));
    // Only a test is another one: the machine has booted from what the image is to be.
    let (second, calls) =
        lab.calls_of(|| project.ami(&image("test ! -e /var/lib/cloud/instances/x")));
    assert_eq!(taken(&calls), 0, "{calls:?}");
    assert_ne!(first, second);
    assert_eq!(snapshot_of(&lab, &first), snapshot_of(&lab, &second));
    // Another size is another volume.
    let larger = image("true").builder(ec2().volume(Volume::new().size(12)));
    let third = project.ami(&larger);
    assert_ne!(snapshot_of(&lab, &third), snapshot_of(&lab, &first));
}

#[test]
fn a_machine_that_cannot_be_cleaned_is_no_image_and_its_layers_stay() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    // The bake's own key, where a recipe has copied it into the image.
    let layer = Layer::new("keys").step(step::run("cp /run/kiln-ssh/authorized_keys /etc/left"));
    let failed = project.bake(project.debian("unclean").layer(layer));
    assert_eq!(failed.code, Some(1), "{}", failed.stdout);
    let failure = failed.failure();
    assert!(failure["output"].to_string().contains("/etc/left"), "{failure}");
    assert!(failure["help"].is_string(), "{failure}");
    assert_eq!(failed.layers("built"), ["base", "keys"]);
    assert_eq!(lab.instances(), [""; 0]);
}

#[test]
fn packages_are_resolved_without_a_trace_and_installed_without_network() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let layer = Layer::new("tools")
        .step(step::apt(["hello"]))
        .step(step::run("hello | grep -q world; ! ls /var/lib/apt/lists | grep Packages"))
        .step(step::run(
            "! getent hosts deb.debian.org; test \"$(tail -n +3 /proc/net/dev | wc -l)\" = 1",
        ))
        .step(step::run("getent hosts deb.debian.org").network(true));
    project.bake(project.debian("tools").layer(layer)).done();
    let lock = std::fs::read_to_string(project.path("kiln.lock")).unwrap();
    assert!(lock.contains("hello_2.10"), "{lock}");
}

#[test]
fn a_restart_comes_back_with_what_was_done_before_whatever_became_of_sshd() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let before = "cp /proc/sys/kernel/random/boot_id /etc/before; rm -f /etc/ssh/ssh_host_*; \
                  echo 'AllowUsers nobody' >/etc/ssh/sshd_config.d/closed.conf";
    let layer = Layer::new("restarted")
        .step(step::run(before))
        .step(step::reboot())
        .step(step::run("! cmp -s /proc/sys/kernel/random/boot_id /etc/before"));
    project.bake(project.debian("restarted").layer(layer)).done();
}

#[test]
fn commands_run_as_whom_where_and_with_what_the_recipe_says() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let layer = Layer::new("commands")
        .step(step::user("worker").uid(1500).groups(["games"]))
        .step(
            step::run("test \"$(id -un) $(id -Gn)\" = 'worker worker games'; test \"$HOME\" = /home/worker; test \"$PWD\" = /srv; test \"$A\" = \"it's\"")
                .user("worker")
                .cwd("/srv")
                .env([("A", "it's")]),
        )
        .step(step::run("touch /tmp/seen"))
        .step(step::run("test -e /tmp/seen; test \"$SOURCE_DATE_EPOCH\" = 1577836800"));
    let image = project.debian("commands").layer(layer);
    // `/tmp` is of the layer, not of the image.
    let image = image.layer(Layer::new("after").step(step::run("test ! -e /tmp/seen")));
    project.bake(image).done();
    let nobody = Layer::new("commands").step(step::run("true").user("nobody-at-all"));
    let failed = project.bake(project.debian("nobody").layer(nobody));
    let failure = failed.failure();
    assert!(failure["message"].as_str().unwrap().contains("no user `nobody-at-all`"), "{failure}");
    assert!(failure["help"].is_string(), "{failure}");
}

#[test]
fn commands_have_an_end_and_bounds() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fails = |step: step::Run| {
        let layer = Layer::new("bounded").step(step);
        let failed = project.bake(project.debian("bounded").layer(layer));
        failed.failure().to_string()
    };
    let slow = fails(step::run("sleep 60").timeout("1s"));
    assert!(slow.contains("ran out of time after 1s"), "{slow}");
    // Where the machine counts no memory, as in a lab on a kernel whose older control groups hold the memory, each
    // process is bounded, and Python says so itself.
    let greedy =
        "if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then echo counts=$((1+1)); fi
                  python3 -c 'x = bytearray(400 << 20)'";
    let large = fails(step::run(greedy).memory("64MiB"));
    let said = if large.contains("counts=2") { "memory (limit 64 MiB)" } else { "MemoryError" };
    assert!(large.contains(said), "{large}");
}

#[test]
fn what_the_machine_cannot_fetch_is_sent_from_here() {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let tools = |text: &str| {
        let layer = Layer::new("tools").step(step::apt(["hello"]));
        project
            .debian("tools")
            .layer(layer.step(step::run(format!("hello; echo {text} >/etc/text"))))
    };
    project.bake(tools("a")).done();
    let lock = std::fs::read_to_string(project.path("kiln.lock")).unwrap();
    let url = lock.split_whitespace().find(|word| word.contains("/hello_2.10")).unwrap();
    let url = url.trim_end_matches(['"', ',', ']']);
    let package = ureq::get(url).call().unwrap().body_mut().read_to_vec().unwrap();
    // A place that this machine reaches and the instance does not.
    let here = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}/hello_2.10.deb", here.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut visitor, _) = here.accept().unwrap();
        let mut request = [0; 4096];
        let _ = visitor.read(&mut request).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", package.len());
        visitor.write_all(&[head.as_bytes(), &package].concat()).unwrap();
    });
    std::fs::write(project.path("kiln.lock"), lock.replace(url, &place)).unwrap();
    let sent = project.bake(tools("b")).done();
    assert_eq!(sent.layers("building"), ["tools", "image"]);
    assert!(sent.stdout.contains("sending them"), "{}", sent.stdout);
}
