//! Restarting a machine. It has its own boot id, and a `systemctl` that ends all sessions before that changes.

use crate::sshd::{ADMIN, Sshd};
use kiln_ssh::{ErrorKind, Exec, Op, Patience, Reached};

fn restarting(then: &str) -> Sshd {
    Sshd::set_up(
        "",
        &format!(
            "echo boot-1 > $dir/boot; mount --bind $dir/boot /proc/sys/kernel/random/boot_id
mount -t tmpfs tmpfs /usr/local/sbin
sed \"s|\\$dir|$dir|g\" > /usr/local/sbin/systemctl <<'EOF'
#!/bin/sh
setsid sh -c 'pkill -9 -f [s]shd:.*notty; sleep 1; {then}' </dev/null >/dev/null 2>&1 &
EOF
chmod 755 /usr/local/sbin/systemctl"
        ),
    )
}

#[tokio::test]
async fn a_restart_returns_when_the_boot_is_another() {
    let sshd = restarting("rm -rf /dev/shm/*; echo boot-2 > $dir/boot");
    let mut machine = sshd.machine_at(sshd.target_as(ADMIN)).await;
    assert_eq!(machine.boot_id(), "boot-1");
    machine.run(&[Op::Exec(Exec::shell("true"))], &()).await.unwrap();
    machine.reboot(&Patience::seconds(30), &|_| ()).await.unwrap();
    assert_eq!(machine.boot_id(), "boot-2");
    assert_eq!(machine.output(Exec::shell("echo $((6 * 7))"), &|_| ()).await.unwrap(), "42\n");
}

#[tokio::test]
async fn a_machine_that_does_not_restart_is_said_to_be_up_still() {
    let sshd = restarting("true");
    let mut machine = sshd.machine().await;
    let error = machine.reboot(&Patience::seconds(10), &|_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut(Reached::Login), "{error}");
    assert!(error.to_string().contains("has not restarted yet"), "{error}");
}
