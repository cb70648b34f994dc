//! From an address to a machine, and what stands in the way.

use crate::proxy::{Mode, Proxy};
use crate::sshd::{ADMIN, GUEST, Sshd};
use kiln_ssh::{CloudInit, ErrorKind, KeyPair, Machine, Patience, Reached, Target};
use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

async fn refused(target: Target, seconds: u64) -> kiln_ssh::Error {
    Machine::connect(target, Patience::seconds(seconds), &|_| ()).await.unwrap_err()
}

#[tokio::test]
async fn another_host_key_is_refused_at_once_and_both_are_shown() {
    let sshd = Sshd::start();
    let other = KeyPair::generate().unwrap().host_key();
    let begun = Instant::now();
    let error = refused(Target { host_key: other.clone(), ..sshd.target() }, 60).await;
    assert_eq!(error.kind(), ErrorKind::HostKey);
    assert!(begun.elapsed() < Duration::from_secs(20), "it was tried again");
    for key in [sshd.host.host_key(), other] {
        assert!(key.fingerprint().starts_with("SHA256:"));
        assert!(error.to_string().contains(&key.fingerprint()), "{error}");
    }
    assert!(error.help_text().unwrap().contains("user data"));
}

#[tokio::test]
async fn a_host_with_keys_of_another_kind_only_is_refused_too() {
    let sshd = Sshd::set_up(
        "HostKey /run/ecdsa",
        "ssh-keygen -q -t ecdsa -N '' -f /run/ecdsa; sed -i '/host_key$/d' $dir/sshd_config",
    );
    let error = refused(sshd.target(), 60).await;
    assert_eq!(error.kind(), ErrorKind::HostKey, "{error}");
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_tried_until_the_deadline() {
    let sshd = Sshd::start();
    let target = Target { key: KeyPair::generate().unwrap(), ..sshd.target() };
    let error = refused(target, 6).await;
    assert_eq!(error.kind(), ErrorKind::TimedOut(Reached::HostKey));
    assert!(error.to_string().contains("does not accept the user's key"), "{error}");
}

#[tokio::test]
async fn what_was_reached_last_is_said() {
    // A port that nobody listens on: bound, so that nobody else takes it.
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let sshd = Sshd::start();
    let error = refused(Target { address, ..sshd.target() }, 1).await;
    assert_eq!(error.kind(), ErrorKind::TimedOut(Reached::Refused), "{error}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok(connection) = silent.accept().await {
            kept.push(connection);
        }
    });
    let error = refused(Target { address, ..sshd.target() }, 1).await;
    assert_eq!(error.kind(), ErrorKind::TimedOut(Reached::Handshake), "{error}");
    accepting.abort();

    let error = refused(sshd.target_as(GUEST), 6).await;
    assert_eq!(error.kind(), ErrorKind::TimedOut(Reached::Login), "{error}");
    assert!(error.to_string().contains("sudo"), "sudo's own words: {error}");
}

#[tokio::test]
async fn an_endless_banner_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, mut given_up) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            // Ends only when the other side has had enough.
            while connection.write_all(&[b'x'; 1 << 16]).await.is_ok() {}
            told.send_modify(|count| *count += 1);
        }
    });
    let sshd = Sshd::start();
    let connecting = refused(Target { address, ..sshd.target() }, 5);
    let ending = async { given_up.wait_for(|count| *count >= 2).await.is_ok() };
    let (error, ended) = tokio::join!(connecting, ending);
    assert!(ended);
    assert_eq!(error.kind(), ErrorKind::TimedOut(Reached::Handshake), "{error}");
}

#[tokio::test]
async fn a_machine_that_is_not_ready_is_waited_for() {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.address).await;
    proxy.set(Mode::Closed);
    let (told, mut tries) = watch::channel(String::new());
    let log = move |line: &str| {
        told.send_replace(line.to_owned());
    };
    let target = Target { address: proxy.address, ..sshd.target() };
    let connecting = Machine::connect(target, Patience::seconds(30), &log);
    let opening = async {
        tries.wait_for(|line| line.starts_with("waiting for")).await.unwrap();
        proxy.set(Mode::Open);
    };
    let (machine, ()) = tokio::join!(connecting, opening);
    assert_eq!(*machine.unwrap().cloud_init(), CloudInit::Absent);
}

/// A machine whose `cloud-init` waits until it is told how it ended.
fn with_cloud_init() -> Sshd {
    let script = r#"#!/bin/sh
case $* in
'status --wait') read status < $dir/fifo; echo "$status" > $dir/status; exit $status ;;
'status --long') echo 'status: error'; exit $(cat $dir/status) ;;
esac
"#;
    Sshd::set_up(
        "",
        &format!(
            "mkfifo $dir/fifo; mount -t tmpfs tmpfs /usr/local/bin; mount -t tmpfs tmpfs /var/log
sed \"s|\\$dir|$dir|g\" > /usr/local/bin/cloud-init <<'EOF'
{script}EOF
chmod 755 /usr/local/bin/cloud-init; echo 'runcmd: not-a-program: not found' > /var/log/cloud-init-output.log"
        ),
    )
}

#[tokio::test]
async fn the_end_of_cloud_init_is_waited_for_and_told() {
    for status in [0, 1, 2] {
        let sshd = with_cloud_init();
        let (told, mut waits) = watch::channel(String::new());
        let log = move |line: &str| {
            told.send_replace(line.to_owned());
        };
        let connecting = Machine::connect(sshd.target_as(ADMIN), Patience::seconds(30), &log);
        let ending = async {
            waits.wait_for(|line| line.contains("cloud-init")).await.unwrap();
            let fifo = sshd.path("fifo");
            tokio::task::spawn_blocking(move || fs::write(fifo, format!("{status}\n")))
                .await
                .unwrap()
                .unwrap();
        };
        let (machine, ()) = tokio::join!(connecting, ending);
        match (status, machine.unwrap().cloud_init()) {
            (0, CloudInit::Done) => {}
            (_, CloudInit::Failed { status: said, log }) => {
                assert_eq!(*said, status);
                assert_eq!(log[0], "status: error");
                assert!(log.iter().any(|line| line.contains("not-a-program")), "{log:?}");
            }
            (_, other) => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_first_boot_without_end_is_what_was_reached() {
    let sshd = with_cloud_init();
    let error = refused(sshd.target(), 6).await;
    assert_eq!(error.kind(), ErrorKind::TimedOut(Reached::CloudInit), "{error}");
}

#[tokio::test]
async fn an_interruption_ends_the_wait() {
    let sshd = Sshd::start();
    let (interrupt, interrupted) = watch::channel(false);
    let target = Target { key: KeyPair::generate().unwrap(), ..sshd.target() };
    let interrupt = Mutex::new(Some(interrupt));
    let log = |_: &str| {
        if let Some(interrupt) = &*interrupt.lock().unwrap() {
            interrupt.send_replace(true);
        }
    };
    let patience = Patience::of(Duration::from_secs(600), interrupted);
    let error = Machine::connect(target, patience, &log).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[tokio::test]
async fn bytes_that_are_no_protocol_are_an_error_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let _ = connection.write_all(b"SSH-2.0-x\r\n\x7f\xff\xff\xff\x01\x14garbage").await;
            let _ = connection.read_to_end(&mut Vec::new()).await;
        }
    });
    let sshd = Sshd::start();
    let error = refused(Target { address, ..sshd.target() }, 1).await;
    assert_eq!(error.kind(), ErrorKind::TimedOut(Reached::Handshake), "{error}");
}
