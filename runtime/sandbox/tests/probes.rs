//! Tests of an image, run in a booted copy of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what tests prepare must succeed"
)]

mod support;

use kiln::Test;
use kiln_engine::driver::{Artifact, Builder, TestOutcome, TestPlan};
use kiln_sandbox::Sandbox;
use std::collections::BTreeMap;
use support::{
    Bench, base, fresh_key, isolated, label, put_text, quiet, scratch, settings, store, with,
};

fn plan(tests: Vec<Test>) -> TestPlan {
    TestPlan { start: vec![], env: BTreeMap::new(), tests }
}

async fn outcomes(sandbox: &Sandbox, on: &Artifact, plan: TestPlan) -> Vec<TestOutcome> {
    sandbox.test(on, &plan, &settings(), &quiet).await.unwrap()
}

/// A service of what every base has: bash cannot listen, systemd can.
async fn serving(bench: &mut Bench) -> Artifact {
    let socket = "[Socket]\nListenStream=80\nAccept=yes\n[Install]\nWantedBy=sockets.target\n";
    let service = "[Service]\nExecStart=/opt/answer\nStandardInput=socket\n";
    let answer = "#!/bin/sh\nread -r _ path _\nwhile read -r line && [ \"$line\" != \"$(printf '\\r')\" ]; do :; done\n\
                  case $path in /healthz) s='200 OK' b=fine ;; *) s='404 Not Found' b='nothing here' ;; esac\n\
                  printf 'HTTP/1.1 %s\\r\\nContent-Length: %s\\r\\nConnection: close\\r\\n\\r\\n%s' \"$s\" \"${#b}\" \"$b\"\n";
    bench.run(put_text("/etc/systemd/system/answer.socket", socket)).await.unwrap();
    bench.run(put_text("/etc/systemd/system/answer@.service", service)).await.unwrap();
    bench.run(with(put_text("/opt/answer", answer), 0o755, "root")).await.unwrap();
    bench.sh("systemctl --quiet enable answer.socket").await;
    bench.session.checkpoint(fresh_key("serving"), &label()).await.unwrap()
}

#[test]
fn a_booted_image_answers_its_probes() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let artifact = serving(&mut bench).await;
        let url = "http://localhost/healthz";
        let tests = vec![
            Test::new("healthy").http(url).body("fine"),
            Test::new("by another name").http("http://www.example.test/healthz").body("fine"),
            Test::new("listens").tcp(80),
            Test::new("runs")
                .run("systemctl is-active answer.socket; test \"$(cat /proc/1/comm)\" = systemd"),
            Test::new("missing").http("http://localhost/other").status(404),
            Test::new("wrong status").http("http://localhost/other").within("1s"),
            Test::new("wrong body").http(url).body("excellent").within("1s"),
            Test::new("closed").tcp(81).within("1s"),
            Test::new("fails").run("echo because; exit 7").within("1s"),
            Test::new("hangs").run("echo begun; sleep 1000").within("1s"),
        ];
        let ended = outcomes(&bench.sandbox, &artifact, plan(tests)).await;
        for passed in &ended[..5] {
            assert_eq!((&passed.failure, passed.output.len()), (&None, 0));
        }
        let failure = |n: usize| ended[n].failure.clone().unwrap();
        let printed = |n: usize| ended[n].output.join("\n");
        assert_eq!(failure(5), "answered with status 404, expected 200 (tried for 1s)");
        assert!(printed(5).starts_with("nothing here\n--- log of the image ---"), "{}", printed(5));
        assert!(printed(5).contains("systemd"), "the journal is shown");
        assert_eq!(failure(6), "the answer does not contain `excellent` (tried for 1s)");
        assert!(failure(7).starts_with("port 81 does not accept a connection"));
        assert_eq!(failure(8), "command exited with status 7 (tried for 1s)");
        assert!(printed(8).starts_with("because"));
        assert!(failure(9).starts_with("ran out of time"));
        // A test leaves nothing in the image.
        let again =
            Bench::on(bench.sandbox.clone(), &artifact).await.sh("ls -A /var/log/journal").await;
        assert_eq!(again, "");
    });
}

#[test]
fn a_start_command_takes_the_place_of_the_init() {
    isolated(|| async {
        let sandbox = Sandbox::open(&store()).unwrap();
        let base = base(&sandbox).await;
        let mut plan = plan(vec![Test::new("env").run("test \"$(cat /tmp/said)\" = word")]);
        plan.start =
            ["/bin/sh", "-c", "echo $SAID >/tmp/said; exec sleep 1000"].map(str::to_owned).into();
        plan.env.insert("SAID".into(), "word".into());
        let passed = outcomes(&sandbox, &base, plan.clone()).await.remove(0);
        assert_eq!((passed.failure, passed.output), (None, vec![]));

        plan.start = ["/bin/sh", "-c", "echo cannot >&2; exit 5"].map(str::to_owned).into();
        plan.tests = vec![Test::new("up").tcp(80)];
        let failed = outcomes(&sandbox, &base, plan).await.remove(0);
        assert!(failed.failure.unwrap().contains("the start command exited with status 5"));
        assert!(failed.output.contains(&"cannot".to_owned()));
    });
}

#[test]
fn an_image_that_starts_nothing_says_so() {
    isolated(|| async {
        let sandbox = Sandbox::open(&store()).unwrap();
        let empty = scratch(&sandbox).await;
        let tests = vec![Test::new("x").tcp(80), Test::new("y").run("true").within("100ms")];
        let ended = outcomes(&sandbox, &empty, plan(tests)).await;
        assert!(ended[0].failure.as_ref().unwrap().contains("no init system"));
        assert!(ended[1].failure.as_ref().unwrap().contains("no `/bin/sh`"));
    });
}
