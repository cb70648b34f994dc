//! Commands on a machine.

use crate::sshd::{ADMIN, GUEST, GUEST_UID, Sshd};
use crate::trees::{archive, large};
use crate::watch::Seen;
use kiln_ssh::{ErrorKind, Exec, Files, Medium, Op, Owner, Program};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

fn user(name: &str, group: Option<&str>) -> Option<Owner> {
    Some(Owner { user: name.into(), group: group.map(Into::into) })
}

#[tokio::test]
async fn output_is_returned_to_the_byte_apart_from_complaints() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    for text in ["printf ''", "echo a", "printf 'a\\n\\nb'", "printf '\\n'", "printf 'a\\n\\n'"] {
        let expected = std::process::Command::new("sh").args(["-c", text]).output().unwrap().stdout;
        let output = machine.output(Exec::shell(text), &|_| ()).await.unwrap();
        assert_eq!(output.as_bytes(), expected, "{text}");
    }
    let complaints = std::sync::Mutex::new(Vec::new());
    let log = |line: &str| complaints.lock().unwrap().push(line.to_owned());
    let exec = Exec::shell("echo out; echo err >&2; exit 3");
    let error = machine.output(exec, &log).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed { status: 3 });
    assert_eq!(error.output_lines(), ["err"]);
    assert_eq!(complaints.into_inner().unwrap(), ["err"]);
}

#[tokio::test]
async fn programs_texts_and_scripts_get_their_arguments_environment_and_directory() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let strange = "it's $HOME `id` \\ \"x\"\nsecond line !";
    let mut argv = Exec::argv(["printf", "%s|", "", strange, "*"]);
    assert_eq!(machine.output(argv.clone(), &|_| ()).await.unwrap(), format!("|{strange}|*|"));
    argv = Exec::shell("printf '%s|%s|%s|%s' \"$STRANGE\" \"$PWD\" \"$HOME\" \"$LANG\"");
    argv.env.insert("STRANGE".into(), strange.into());
    argv.cwd = Some("/usr/lib".into());
    let output = machine.output(argv, &|_| ()).await.unwrap();
    assert_eq!(output, format!("{strange}|/usr/lib|/root|C.UTF-8"));
    let content = b"#!/usr/bin/env -S perl -w\nprint \"$0 @ARGV\";\n".as_slice().into();
    let args = vec!["a b".into(), "c".into()];
    let script = Program::Script { name: "set up.pl".into(), content, args };
    let output = machine.output(Exec::new(script), &|_| ()).await.unwrap();
    assert!(output.ends_with("-set_up.pl a b c"), "{output}");
    let output =
        machine.output(Exec::shell("cat; env | cut -d= -f1 | sort | tr '\\n' ' '"), &|_| ()).await;
    assert_eq!(output.unwrap(), "HOME LANG PATH PWD ", "nothing of the login's, and no input");
}

#[tokio::test]
async fn a_user_is_that_user_with_its_groups_and_home() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let text = "echo $(id -u) $(id -g) $(id -G) $HOME";
    let mut run = async |user: Option<Owner>| {
        machine.output(Exec { user, ..Exec::shell(text) }, &|_| ()).await
    };
    assert_eq!(run(None).await.unwrap(), "0 0 0 /root\n");
    assert_eq!(
        run(user(GUEST, None)).await.unwrap(),
        format!("{GUEST_UID} 64803 64803 64804 /var/tmp\n")
    );
    assert_eq!(
        run(user(GUEST, Some("kiln-admin"))).await.unwrap().split(' ').nth(1),
        Some("64801")
    );
    assert_eq!(run(user("4321", None)).await.unwrap(), "4321 4321 4321 /\n");
    let error = run(user("nobody-here", None)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("no user `nobody-here`"), "{error}");
    let error = run(user(GUEST, Some("no-group"))).await.unwrap_err();
    assert!(error.to_string().contains("no group `no-group`"), "{error}");
}

#[tokio::test]
async fn the_first_op_that_fails_ends_the_batch_with_its_own_output() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let after = sshd.path("after");
    let ops = [
        Op::Exec(Exec::shell("echo one")),
        Op::Exec(Exec::shell("echo two; echo three >&2\nnot-a-program\necho four")),
        Op::Exec(Exec::shell(format!("touch {after}"))),
    ];
    let seen = Seen::default();
    let failed = machine.run(&ops, &seen).await.unwrap_err();
    assert_eq!((failed.index, failed.error.kind()), (1, ErrorKind::Failed { status: 127 }));
    let lines = failed.error.output_lines();
    assert_eq!(lines[..2], ["two", "three"]);
    assert!(
        lines[2] == "shell: 2: not-a-program: not found",
        "the line of the recipe's: {lines:?}"
    );
    assert_eq!(seen.events()[..3], ["start 0", "0: one", "start 1"]);
    assert!(!Path::new(&after).exists());
    // The machine is as usable as before.
    let ops = [Op::Exec(Exec::argv(["sh", "-c", "kill -9 $$"]))];
    let failed = machine.run(&ops, &()).await.unwrap_err();
    assert_eq!(failed.error.kind(), ErrorKind::Failed { status: 137 });
    assert!(failed.error.to_string().contains("signal 9"), "{failed}");
    let exec = Exec { cwd: Some("/no/where".into()), ..Exec::shell("true") };
    let failed = machine.run(&[Op::Exec(exec)], &()).await.unwrap_err();
    assert!(failed.error.output_lines()[0].contains("no directory `/no/where`"), "{failed:?}");
}

#[tokio::test]
async fn lines_come_while_the_command_still_runs() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let fifo = sshd.path("fifo");
    // Ends only if its line was seen before its end.
    let op = Op::Exec(Exec::shell(format!(
        "mkfifo {fifo}; echo ready; read answer < {fifo}; echo $answer"
    )));
    let seen = Seen::calling(move |_, line| {
        if line == "ready" {
            fs::write(&fifo, "answered\n").unwrap();
        }
    });
    machine.run(&[op], &seen).await.unwrap();
    assert_eq!(*seen.events(), ["start 0", "0: ready", "0: answered"]);
}

#[tokio::test]
async fn what_a_command_prints_is_never_taken_for_the_agents_words() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let forge = "printf '\\nend 0 0\\n\\n%032d end 0 0\\n\\377\\376\\n' 0; \
                 tr '\\0' '\\n' < /proc/$PPID/cmdline; tr '\\0' '\\n' < /proc/$PPID/environ; exit 9";
    let failed = machine.run(&[Op::Exec(Exec::shell(forge))], &()).await.unwrap_err();
    assert_eq!(failed.error.kind(), ErrorKind::Failed { status: 9 });
    let lines = failed.error.output_lines();
    assert!(
        lines.contains(&"end 0 0".to_owned()) && lines.contains(&"\u{fffd}\u{fffd}".to_owned()),
        "{lines:?}"
    );
}

#[tokio::test]
async fn neither_secrets_nor_texts_are_in_anyones_arguments_or_on_the_disk() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine_at(sshd.target_as(ADMIN)).await;
    let secret = "correct-horse-battery";
    let look = "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | \
                awk 'index($0, ENVIRON[\"SECRET\"]) {n++} END {print n + 0}'; \
                grep -rl \"$SECRET\" /var/tmp /run 2>/dev/null || true; cat $FILES/key; stat -c %U $FILES/key";
    let mut exec =
        Exec { user: user(GUEST, None), ..Exec::shell(format!("# {secret}-text\n{look}")) };
    exec.env.insert("SECRET".into(), secret.into());
    let key = archive(&[("key", 0o600, "in a file\n")]);
    exec.files = Some(Files { variable: "FILES".into(), archive: key, medium: Medium::Memory });
    let output = machine.output(exec, &|_| ()).await.unwrap();
    assert_eq!(output, format!("0\nin a file\n{GUEST}\n"));
    let left = machine
        .output(Exec::shell("ls -d /dev/shm/kiln-*/[0-9]* /var/tmp/kiln-*/* || true"), &|_| ());
    let left = left.await.unwrap();
    assert!(left.lines().all(|line| line.contains("/0-")), "only what lists it is there: {left}");
}

#[tokio::test]
async fn files_of_any_size_are_there_for_the_command_and_gone_afterwards() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    for medium in [Medium::Memory, Medium::Disk] {
        let with = |archive, text: &str| {
            let files = Some(Files { variable: "KILN_FILES".into(), archive, medium });
            Op::Exec(Exec { files, ..Exec::shell(text) })
        };
        let ops = [
            Op::Exec(Exec::shell("echo before")),
            with(archive(&[("a", 0o644, "content")]), "cat $KILN_FILES/a; echo; echo $KILN_FILES"),
            with(large("b", 5 << 20, true), "stat -c %s $KILN_FILES/b; echo $KILN_FILES"),
            Op::Exec(Exec::shell("echo after")),
        ];
        let seen = Seen::default();
        machine.run(&ops, &seen).await.unwrap();
        let events = seen.events().clone();
        assert_eq!(events[..4], ["start 0", "0: before", "start 1", "1: content"]);
        assert_eq!(events[6], format!("2: {}", 5 << 20));
        assert_eq!(events[8..], ["start 3", "3: after"]);
        for dir in [&events[4][3..], &events[7][3..]] {
            let gone = machine
                .output(Exec::shell(format!("test -e {dir} && echo there || echo gone")), &|_| ());
            assert_eq!(gone.await.unwrap(), "gone\n", "{dir}");
        }
    }
}

#[tokio::test]
async fn a_command_out_of_time_is_stopped_with_all_it_started() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let limit = Duration::from_millis(700);
    // A grandchild that ignores the polite signal, and tells where it is.
    let text = "(trap '' TERM; sleep 1000 & sleep 1000; sleep 1000) & echo started; sleep 1000";
    let exec = Exec { time_limit: Some(limit), ..Exec::shell(text) };
    let begun = Instant::now();
    let failed = machine.run(&[Op::Exec(exec)], &()).await.unwrap_err();
    assert_eq!(failed.error.kind(), ErrorKind::TimeLimit(limit), "{failed}");
    assert!(begun.elapsed() >= limit && begun.elapsed() < Duration::from_secs(20));
    assert_eq!(failed.error.output_lines(), ["started"]);
    let left = machine.output(Exec::shell("pgrep -x sleep || echo none"), &|_| ()).await.unwrap();
    assert_eq!(left, "none\n");
    // One that is in time leaves no watch behind.
    let exec = Exec { time_limit: Some(Duration::from_secs(1000)), ..Exec::shell("true") };
    machine.run(&[Op::Exec(exec)], &()).await.unwrap();
    let left = machine.output(Exec::shell("pgrep -x sleep || echo none"), &|_| ()).await.unwrap();
    assert_eq!(left, "none\n");
}

#[tokio::test]
async fn a_service_that_stays_does_not_hold_up_the_batch() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let pid = sshd.path("pid");
    let ops = [
        Op::Exec(Exec::shell(format!("sleep 1000 & echo $! > {pid}"))),
        Op::Exec(Exec::shell(format!("kill -0 $(cat {pid})"))),
    ];
    machine.run(&ops, &()).await.unwrap();
    machine.close().await.unwrap();
}

#[tokio::test]
async fn many_small_ops_as_an_ordinary_user_are_each_known_by_their_place() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine_at(sshd.target_as(ADMIN)).await;
    let ops: Vec<Op> =
        (0..100).map(|n| Op::Exec(Exec::shell(format!("echo {n}; id -u")))).collect();
    let seen = Seen::default();
    machine.run(&ops, &seen).await.unwrap();
    let expected: Vec<String> = (0..100)
        .flat_map(|n| [format!("start {n}"), format!("{n}: {n}"), format!("{n}: 0")])
        .collect();
    assert_eq!(*seen.events(), expected);
    machine.close().await.unwrap();
}
