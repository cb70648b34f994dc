//! A shell at a terminal.

use crate::sshd::{ADMIN, Sshd};
use rustix::process::{Signal, getpid, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

#[tokio::test]
async fn a_person_works_in_a_shell_and_finds_the_terminal_as_it_was() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine_at(sshd.target_as(ADMIN)).await;
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
    let size =
        |columns, rows| Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size(91, 31)).unwrap();
    let terminal = File::options().read(true).write(true).open(&path).unwrap();
    let before = format!("{:?}", tcgetattr(&terminal).unwrap());
    let mut master = File::from(master);
    let person = tokio::task::spawn_blocking(move || {
        let mut said = String::new();
        let mut expect = |master: &mut File, what: &str| {
            let mut buffer = [0; 1024];
            while !said.contains(what) {
                let count = master.read(&mut buffer).unwrap();
                said.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
            said.clear();
        };
        // What is typed before `sudo` has set up its own terminal it may throw away.
        expect(&mut master, "# ");
        // What is typed is echoed by the machine: quotes keep it from looking like the answer.
        master.write_all(b"echo he''re $(id -u) $(stty size)\n").unwrap();
        expect(&mut master, "here 0 31 91");
        tcsetwinsize(&master, size(101, 41)).unwrap();
        kill_process(getpid(), Signal::WINCH).unwrap();
        master
            .write_all(b"until [ \"$(stty size)\" = '41 101' ]; do :; done; echo res''ized\n")
            .unwrap();
        expect(&mut master, "resized");
        // Goes to the program on the machine, and not to this one.
        let trap =
            b"sh -c 'trap \"echo interr\"\"upted; exit\" INT; echo tra\"\"pped; while :; do :; done'\n";
        master.write_all(trap).unwrap();
        expect(&mut master, "trapped");
        master.write_all(b"\x03").unwrap();
        expect(&mut master, "interrupted");
        master.write_all(b"exit 7\n").unwrap();
        master
    });
    let status = machine.shell(&path).await.unwrap();
    assert_eq!(status, 7);
    let _master = person.await.unwrap();
    assert_eq!(format!("{:?}", tcgetattr(&terminal).unwrap()), before);
    machine.run(&[], &()).await.unwrap();
}

#[tokio::test]
async fn what_is_no_terminal_is_refused() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    let error = machine.shell("/dev/null".as_ref()).await.unwrap_err();
    assert!(error.to_string().contains("`/dev/null`"), "{error}");
}
