//! What ops do on a machine.

use crate::sshd::Sshd;
use kiln_ssh::{Exec, Op};

#[tokio::test]
async fn a_command_runs_and_its_output_is_returned_to_the_byte() {
    let sshd = Sshd::start();
    let mut machine = sshd.machine().await;
    for text in ["printf ''", "echo a", "printf 'a\\n\\nb'", "printf '\\n'", "printf 'a\\n\\n'"] {
        let expected = std::process::Command::new("sh").args(["-c", text]).output().unwrap().stdout;
        let output = machine.output(Exec::shell(text), &|_| ()).await.unwrap();
        assert_eq!(output.as_bytes(), expected, "{text}");
    }
    machine.run(&[Op::Exec(Exec::shell("true"))], &()).await.unwrap();
    machine.close().await.unwrap();
}
