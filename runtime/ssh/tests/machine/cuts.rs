//! Connections that break, and what is done about it.

use crate::proxy::{Mode, Proxy};
use crate::sshd::{ADMIN, Sshd};
use crate::trees::{archive, begun, is_large, large, unpack};
use crate::watch::Seen;
use kiln_ssh::{ErrorKind, Exec, Machine, Op, Patience, Target};
use std::fs::{self, File};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

async fn through(sshd: &Sshd) -> (Arc<Proxy>, Machine) {
    let proxy = Proxy::to(sshd.address).await;
    let target = Target { address: proxy.address, ..sshd.target_as(ADMIN) };
    (Arc::new(proxy), sshd.machine_at(target).await)
}

#[tokio::test]
async fn an_archive_is_sent_again_and_what_followed_it_runs_once() {
    let sshd = Sshd::start();
    let (proxy, mut machine) = through(&sshd).await;
    let (size, at) = (20 << 20, sshd.path(""));
    let count = |n: u32| Op::Exec(Exec::shell(format!("echo {n} >> {at}/count")));
    let small = || unpack(&at, archive(&[("small", 0o644, "x")]));
    let ops = [count(1), small(), unpack(&at, large("random", size, true)), small(), count(2)];
    for after in [3_000, 3 << 20, 15 << 20] {
        proxy.cut_after(after);
        let connections = proxy.connections();
        machine.run(&ops[1..4], &()).await.unwrap();
        assert_eq!(proxy.connections(), connections + 1, "it was not cut");
        assert!(is_large(File::open(sshd.path("random")).unwrap(), size, true));
        fs::remove_file(sshd.path("random")).unwrap();
    }
    proxy.cut_after(3 << 20);
    machine.run(&ops, &()).await.unwrap();
    assert!(is_large(File::open(sshd.path("random")).unwrap(), size, true));
    assert_eq!(fs::read_to_string(sshd.path("count")).unwrap(), "1\n2\n");
}

#[tokio::test]
async fn a_batch_that_was_cut_anywhere_runs_each_command_at_most_once_and_loses_nothing() {
    let sshd = Sshd::start();
    let (proxy, mut machine) = through(&sshd).await;
    let mut outcomes = (0, 0);
    for after in (200..9_000).step_by(733) {
        let at = sshd.path(&format!("cut-{after}"));
        let ops: Vec<Op> = (0..6)
            .flat_map(|n| {
                let text = format!("mkdir -p {at}; echo {n} >> {at}/count");
                [Op::Exec(Exec::shell(text)), unpack(&at, archive(&[("file", 0o644, "x")]))]
            })
            .collect();
        proxy.cut_after(after);
        let outcome = machine.run(&ops, &()).await;
        let count = fs::read_to_string(format!("{at}/count")).unwrap_or_default();
        let all = "0\n1\n2\n3\n4\n5\n";
        match outcome {
            Ok(()) => {
                assert_eq!(count, all, "cut after {after} bytes");
                outcomes.0 += 1;
            }
            Err(failed) => {
                assert_eq!(failed.error.kind(), ErrorKind::Cut, "{failed}");
                assert!(matches!(ops[failed.index], Op::Exec(_)), "{failed}");
                assert!(all.starts_with(&count), "{count:?}");
                outcomes.1 += 1;
            }
        }
    }
    assert!(outcomes.0 > 0, "none went on: {outcomes:?}");
}

#[tokio::test]
async fn a_command_that_had_begun_is_stopped_and_not_repeated() {
    let sshd = Sshd::start();
    let (proxy, mut machine) = through(&sshd).await;
    let log = sshd.path("log");
    let ops = [
        Op::Exec(Exec::shell("true")),
        Op::Exec(Exec::shell(format!("echo begun >> {log}; echo ready; sleep 1000"))),
        Op::Exec(Exec::shell(format!("echo never >> {log}"))),
    ];
    let cutting = proxy.clone();
    let seen = Seen::calling(move |_, line| {
        if line == "ready" {
            cutting.cut();
        }
    });
    let failed = machine.run(&ops, &seen).await.unwrap_err();
    assert_eq!((failed.index, failed.error.kind()), (1, ErrorKind::Cut), "{failed}");
    assert!(failed.error.to_string().contains("a command ran"), "{failed}");
    assert_eq!(failed.error.output_lines(), ["ready"]);
    assert_eq!(fs::read_to_string(log).unwrap(), "begun\n");
    let left = machine.output(Exec::shell("pgrep -x sleep || echo none"), &|_| ()).await.unwrap();
    assert_eq!(left, "none\n", "and the machine is connected again");
}

#[tokio::test]
async fn a_command_that_ended_while_nobody_listened_counts() {
    let sshd = Sshd::start();
    let (proxy, mut machine) = through(&sshd).await;
    let [go, gone, log] = ["go", "gone", "log"].map(|name| sshd.path(name));
    // The second program waits for the end of the agent, which dies of the broken connection after the command's
    // end is on record.
    let text = format!(
        "mkfifo {go} {gone}; setsid sh -c 'tail --pid='$PPID' -f /dev/null; echo gone > {gone}' </dev/null >/dev/null 2>&1 & \
         echo ready; read x < {go}; echo done >> {log}"
    );
    let ops = [Op::Exec(Exec::shell(text)), Op::Exec(Exec::shell(format!("echo next >> {log}")))];
    let cutting = proxy.clone();
    let seen = Seen::calling(move |_, line| {
        if line == "ready" {
            cutting.set(Mode::Closed);
            let (cutting, go, gone) = (cutting.clone(), go.clone(), gone.clone());
            tokio::task::spawn_blocking(move || {
                fs::write(go, "go\n").unwrap();
                assert_eq!(fs::read_to_string(gone).unwrap(), "gone\n");
                cutting.set(Mode::Open);
            });
        }
    });
    machine.run(&ops, &seen).await.unwrap();
    assert_eq!(fs::read_to_string(log).unwrap(), "done\nnext\n");
}

#[tokio::test]
async fn a_connection_that_breaks_again_and_again_is_given_up() {
    let sshd = Sshd::start();
    let (proxy, mut machine) = through(&sshd).await;
    let breaking = proxy.clone();
    // Cuts while the archive is on its way, each time.
    let seen = Seen::default();
    let op = unpack(&sshd.path(""), {
        kiln_ssh::Archive::new(move |to, ids| {
            to.write_all(begun("file", 2 << 20, ids).as_bytes())?;
            to.write_all(&vec![0; 1 << 20])?;
            breaking.cut();
            to.write_all(&vec![0; (1 << 20) + 1024])
        })
    });
    let failed = machine.run(&[op], &seen).await.unwrap_err();
    assert_eq!((failed.index, failed.error.kind()), (0, ErrorKind::Cut), "{failed}");
    assert!(proxy.connections() >= 3);
}

#[tokio::test]
async fn a_dead_peer_is_noticed_within_seconds_whether_or_not_something_is_on_its_way() {
    let sshd = Sshd::start();
    let idle = async {
        let (proxy, machine) = through(&sshd).await;
        let closed = machine.closed();
        proxy.set(Mode::Frozen);
        let begun = Instant::now();
        closed.await;
        begun.elapsed()
    };
    let busy = async {
        let (proxy, mut machine) = through(&sshd).await;
        let closed = machine.closed();
        let freezing = proxy.clone();
        let op = unpack(&sshd.path(""), {
            kiln_ssh::Archive::new(move |to, _| {
                freezing.set(Mode::Frozen);
                // More than all buffers between here and there: the write blocks.
                std::io::copy(&mut crate::trees::Content { state: 1, random: true }, to).map(|_| ())
            })
        });
        let ops = [op];
        let begun = Instant::now();
        let run = machine.run(&ops, &());
        tokio::select! {
            () = closed => begun.elapsed(),
            outcome = run => panic!("{outcome:?}"),
        }
    };
    let (idle, busy) = tokio::join!(idle, busy);
    for time in [idle, busy] {
        assert!(time > Duration::from_secs(8) && time < Duration::from_secs(25), "{time:?}");
    }
}

#[tokio::test]
async fn an_interruption_stops_what_runs_on_the_machine() {
    let sshd = Sshd::start();
    let (interrupt, interrupted) = watch::channel(false);
    let patience = Patience::of(Duration::from_secs(30), interrupted);
    let mut machine = Machine::connect(sshd.target(), patience, &|_| ()).await.unwrap();
    let text = "sleep 1000 & echo ready; wait";
    let seen = Seen::calling(move |_, line| {
        if line == "ready" {
            interrupt.send_replace(true);
        }
    });
    let failed = machine.run(&[Op::Exec(Exec::shell(text))], &seen).await.unwrap_err();
    assert_eq!((failed.index, failed.error.kind()), (0, ErrorKind::Interrupted));
    let mut other = sshd.machine().await;
    let left = other.output(Exec::shell("pgrep -x sleep || echo none"), &|_| ()).await.unwrap();
    assert_eq!(left, "none\n");
}
