//! Commands in a session.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what tests prepare must succeed"
)]

mod support;

use kiln_engine::driver::{Action, ArtifactIndex, Program};
use kiln_engine::{Digest, ErrorKind};
use support::{Bench, Lines, fresh_key, isolated, label, put_text, quiet, shell, with};

#[test]
fn a_layer_of_puts_and_commands_is_kept_and_found() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        bench.run(put_text("/etc/greeting", "hello\n")).await.unwrap();
        assert_eq!(bench.sh("cat /etc/greeting; echo done >/srv/mark").await, "hello");
        let key = fresh_key("kept");
        let artifact = bench.session.checkpoint(key, &label()).await.unwrap();
        assert_eq!(bench.sandbox.find(&[key]).await.unwrap(), [Some(artifact.clone())]);
        // The session goes on, and so does another on the artifact.
        assert_eq!(bench.sh("cat /srv/mark").await, "done");
        let mut other = Bench::on(bench.sandbox.clone(), &artifact).await;
        assert_eq!(other.sh("cat /etc/greeting /srv/mark").await, "hello\ndone");
    });
}

#[test]
fn output_is_streamed_and_a_failure_carries_it() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let error = bench.fails(shell("echo to stdout; echo to stderr >&2; exit 3")).await;
        assert_eq!(error.to_string(), "command exited with status 3");
        let mut lines = error.output_lines().to_vec();
        // `runc` carries the two streams side by side.
        lines.sort();
        assert_eq!(lines, ["to stderr", "to stdout"]);
        let error = bench.fails(shell("kill -9 $$")).await;
        assert_eq!(error.to_string(), "command was killed by signal 9");
        // `-e`: the first failing command ends the script.
        assert_eq!(bench.fails(shell("false; true")).await.kind(), ErrorKind::Input);
    });
}

#[test]
fn a_program_that_the_image_lacks_is_named() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let mut action = shell("");
        action.program = Program::Argv(vec!["no-such-program".into()]);
        let error = bench.fails(action.clone()).await;
        assert_eq!(error.to_string(), "the image has no program `no-such-program` on its PATH");
        action.program = Program::Argv(vec!["printf".into(), "a b".into()]);
        assert_eq!(bench.run(action).await.unwrap(), ["a b"]);
        let sandbox = bench.sandbox.clone();
        let empty = support::scratch(&sandbox).await;
        let error = Bench::on(sandbox, &empty).await.fails(shell("true")).await;
        assert_eq!(error.to_string(), "the image has no `/bin/sh`");
    });
}

#[test]
fn environment_user_and_directory_are_those_of_the_step() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let mut action = shell("echo $HOME $LANG $SOURCE_DATE_EPOCH $X; id -un; pwd; umask; id -G");
        action.env.insert("X".into(), "y z".into());
        assert_eq!(
            bench.run(action.clone()).await.unwrap(),
            ["/root C.UTF-8 1577836800 y z", "root", "/", "0022", "0"]
        );
        action.user = Some("www-data".into());
        action.cwd = Some("/etc".into());
        assert_eq!(
            bench.run(action.clone()).await.unwrap(),
            ["/var/www C.UTF-8 1577836800 y z", "www-data", "/etc", "0022", "33"]
        );
        action.user = Some("nobody-here".into());
        let error = bench.fails(action.clone()).await;
        assert_eq!(error.to_string(), "the image has no user `nobody-here`");
        action.user = None;
        action.cwd = Some("/no/where".into());
        assert!(bench.fails(action).await.to_string().contains("`/no/where`"));
    });
}

#[test]
fn network_is_reached_only_when_asked_for() {
    isolated(|| async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepted = tokio::spawn(async move { listener.accept().await.is_ok() });
        let mut bench = Bench::new().await;
        let dial = format!("exec 3<>/dev/tcp/localhost/{port}");
        let mut action = shell("");
        action.program = Program::Argv(vec!["bash".into(), "-c".into(), dial]);
        let error = bench.fails(action.clone()).await;
        assert!(error.output_lines().concat().contains("Connection refused"), "{error:?}");
        action.network = true;
        bench.run(action).await.unwrap();
        assert!(accepted.await.unwrap());
    });
}

#[test]
fn a_network_step_leaves_no_trace_of_the_host() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let mut action = shell("test -s /etc/resolv.conf; echo x >/tmp/shared");
        action.network = true;
        bench.run(action).await.unwrap();
        assert_eq!(bench.sh("cat /tmp/shared; cat /etc/resolv.conf").await, "x");
        let changed = bench.session.checkpoint(fresh_key("trace"), &label()).await.unwrap();
        let mut none = Bench::new().await;
        assert_eq!(none.session.checkpoint(fresh_key("none"), &label()).await.unwrap(), changed);
    });
}

#[test]
fn an_image_without_a_resolver_file_or_with_a_link_is_not_changed_by_the_network() {
    for prepare in [
        "rm /etc/resolv.conf",
        "ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf",
        "ln -sf /var/lib/nowhere/resolv.conf /etc/resolv.conf",
    ] {
        isolated(|| async {
            let mut bench = Bench::new().await;
            bench.sh(prepare).await;
            let artifact = bench.session.checkpoint(fresh_key("without"), &label()).await.unwrap();
            let mut action = shell("test -s /etc/resolv.conf");
            action.network = true;
            bench.run(action).await.unwrap();
            let changed = bench.session.checkpoint(fresh_key("after"), &label()).await.unwrap();
            let mut none = Bench::on(bench.sandbox.clone(), &artifact).await;
            let unchanged = none.session.checkpoint(fresh_key("none"), &label()).await.unwrap();
            assert_eq!(changed, unchanged, "{prepare}");
        });
    }
}

#[test]
fn a_step_that_never_ends_is_stopped() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let mut action = shell("echo begun; setsid sleep 1000 & while :; do :; done");
        action.limits.time_ms = Some(700);
        let error = bench.fails(action).await;
        assert_eq!(error.to_string(), "ran out of time after 700ms");
        assert_eq!(error.output_lines(), ["begun"]);
        assert!(error.help_text().is_some());
        assert_eq!(bench.sh(PROCESSES).await, "0", "nothing goes on in the background");
    });
}

#[test]
fn what_a_step_leaves_running_ends_with_it() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let lines = bench.sh("(trap '' HUP TERM; setsid sleep 1000) & echo started").await;
        assert_eq!(lines, "started");
        assert_eq!(bench.sh(PROCESSES).await, "0");
    });
}

#[test]
fn a_step_that_nobody_waits_for_any_more_ends() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let begun = tokio::sync::Notify::new();
        let output = |_: &str| begun.notify_one();
        let action = Action::Exec(shell("echo begun; setsid sleep 1000 & sleep 1000"));
        let lines = Lines(&output);
        tokio::select! {
            _ = bench.session.run(std::slice::from_ref(&action), &lines) => panic!("it ended by itself"),
            () = begun.notified() => {}
        }
        assert_eq!(bench.sh(PROCESSES).await, "0");
    });
}

/// How many `sleep` are running.
const PROCESSES: &str = r#"n=0; for p in /proc/[0-9]*; do
  read -r line <$p/stat || continue
  case $line in *'(sleep) Z'*) ;; *'(sleep)'*) n=$((n+1)) ;; esac
done; echo $n"#;

#[test]
fn a_step_that_eats_memory_is_stopped_and_the_next_runs() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        let mut action = shell("x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}");
        action.limits.memory = Some(64 << 20);
        let error = bench.fails(action.clone()).await;
        assert_eq!(error.to_string(), "ran out of memory (limit 64 MiB)");
        action.limits.memory = None;
        action.program =
            Program::Shell("x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ${#x}".into());
        assert_eq!(bench.run(action).await.unwrap(), ["100000000"]);
    });
}

#[test]
fn a_script_is_run_by_its_interpreter_and_verified() {
    isolated(|| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hello.sh");
        let text = "#!/bin/sh\necho \"$0 $1\"\n";
        std::fs::write(&path, text).unwrap();
        let mut bench = Bench::new().await;
        let mut action = shell("");
        let digest = Digest::of(text.as_bytes());
        action.program = Program::Script { path: path.clone(), digest, args: vec!["arg".into()] };
        assert_eq!(bench.run(action.clone()).await.unwrap(), ["/run/kiln/step/hello.sh arg"]);
        std::fs::write(&path, "#!/bin/sh\necho other\n").unwrap();
        let error = bench.fails(action).await;
        assert!(error.to_string().ends_with("changed while the image was being baked"));
    });
}

#[test]
fn files_of_an_image_keep_the_owner_and_mode_that_were_asked_for() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        bench.run(with(put_text("/opt/new/dir/tool", "x"), 0o4750, "www-data:adm")).await.unwrap();
        let shown = bench.sh("stat -c '%a %U %G' /opt/new/dir/tool /opt/new/dir").await;
        assert_eq!(shown, "4750 www-data adm\n755 root root");
        bench.run(Action::Remove { dest: "/opt/new".into() }).await.unwrap();
        bench.run(Action::Remove { dest: "/opt/new".into() }).await.unwrap();
        assert_eq!(bench.sh("ls /opt").await, "");
    });
}

#[test]
fn a_resolving_script_leaves_the_session_as_it_was() {
    isolated(|| async {
        let mut bench = Bench::new().await;
        bench.sh("echo seen >/srv/seen").await;
        let script = "cat /srv/seen; echo noise >&2; echo x >/srv/lost";
        let printed = bench.session.resolve(script, Default::default(), &quiet).await.unwrap();
        assert_eq!(printed, "seen\n");
        assert_eq!(bench.sh("ls /srv").await, "seen");
        let error = bench.session.resolve("echo why >&2; exit 4", Default::default(), &quiet).await;
        assert_eq!(error.unwrap_err().output_lines(), ["why"]);
    });
}
