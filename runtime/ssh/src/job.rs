//! What the agent is told for one op: its words, and small files that hold what must not be in any arguments.

use crate::op::Medium;
use crate::quote::{is_variable, word};
use crate::target::is_account;
use crate::{Error, Exec, Files, Op, Owner, Program};
use std::time::Duration;

/// Staged at once. Larger files come in several pieces.
const PIECE: usize = 256 << 10;

/// Smaller files come as a line that the shell reads by itself; it does so byte by byte.
const TEXT: usize = 1 << 10;

/// Checks what the agent's words cannot carry, so that nothing of a batch is begun that could not be ended.
pub(crate) fn check(op: &Op) -> Result<(), Error> {
    match op {
        Op::Remove { path } if path.trim_matches('/').is_empty() => {
            Err(Error::input("the root directory cannot be removed"))
        }
        Op::Remove { path } => absolute(path),
        Op::Unpack(unpack) => absolute(&unpack.into).and_then(|()| account(&unpack.owner)),
        Op::Exec(exec) => {
            exec.user.as_ref().map_or(Ok(()), account)?;
            exec.cwd.as_deref().map_or(Ok(()), absolute)?;
            let mut texts: Vec<&str> = exec.env.values().map(String::as_str).collect();
            match &exec.program {
                Program::Shell(text) => texts.push(text),
                Program::Argv(argv) if argv.first().is_none_or(String::is_empty) => {
                    return Err(Error::input("the command is empty"));
                }
                Program::Argv(args) | Program::Script { args, .. } => {
                    texts.extend(args.iter().map(String::as_str));
                }
            }
            if texts.iter().any(|text| text.contains('\0')) {
                return Err(Error::input(
                    "a command, its arguments and its environment hold no NUL",
                ));
            }
            let names = exec.env.keys().chain(exec.files.iter().map(|files| &files.variable));
            match names.into_iter().find(|name| !is_variable(name)) {
                Some(name) => Err(Error::input(format!(
                    "`{}` is no name of an environment variable",
                    name.escape_debug()
                ))),
                None => Ok(()),
            }
        }
    }
}

fn absolute(path: &str) -> Result<(), Error> {
    let strange = path.chars().any(char::is_control) || path.split('/').any(|part| part == "..");
    if !path.starts_with('/') || strange {
        let path = path.escape_debug();
        return Err(Error::input(format!("`{path}` is no path on a machine"))
            .help("give an absolute path, without `..` and control characters"));
    }
    Ok(())
}

fn account(owner: &Owner) -> Result<(), Error> {
    let names = [Some(&owner.user), owner.group.as_ref()];
    match names.into_iter().flatten().find(|name| !is_account(name)) {
        Some(name) => {
            Err(Error::input(format!("`{}` is no user and no group", name.escape_debug())))
        }
        None => Ok(()),
    }
}

/// The user and the group in the agent's words.
pub(crate) fn owner(owner: &Owner) -> String {
    format!("{} {}", owner.user, owner.group.as_deref().unwrap_or("-"))
}

/// Where a command finds its files.
pub(crate) fn files_at(files: &Files, memory: &str, name: &str, number: usize) -> String {
    match files.medium {
        Medium::Memory => format!("{memory}/{number}-files"),
        Medium::Disk => format!("/var/tmp/{name}/{number}"),
    }
}

/// All that the agent needs for a command, except its files. `alone`: its standard output is wanted by itself.
pub(crate) fn words(exec: &Exec, number: usize, memory: &str, name: &str, alone: bool) -> Vec<u8> {
    let mut words = Vec::new();
    let at = format!("{memory}/{number}");
    let mut job = String::new();
    for (variable, value) in &exec.env {
        job.push_str(&format!("export {variable}={}\n", word(value)));
    }
    if let Some(files) = &exec.files {
        let dir = files_at(files, memory, name, number);
        job.push_str(&format!("export {}={}\n", files.variable, word(&dir)));
    }
    if let Some(cwd) = &exec.cwd {
        let missing = word(&format!("there is no directory `{cwd}` to run the command in"));
        job.push_str(&format!("cd {} 2>/dev/null || {{ echo {missing}; exit 1; }}\n", word(cwd)));
    }
    let arguments =
        |args: &[String]| args.iter().map(|arg| format!(" {}", word(arg))).collect::<String>();
    match &exec.program {
        Program::Argv(argv) => job.push_str(&format!("exec{}\n", arguments(argv))),
        Program::Shell(text) => {
            // A file of its own: the shell's messages then count the lines of the recipe.
            stage(&mut words, number, "shell", text.as_bytes(), "");
            job.push_str(&format!("exec /bin/sh -e {at}-shell\n"));
        }
        Program::Script { name, content, args } => {
            let name = file_name(name);
            stage(&mut words, number, &name, content, " program");
            job.push_str(&format!("exec {at}-{name}{}\n", arguments(args)));
        }
    }
    stage(&mut words, number, "job", job.as_bytes(), "");
    let limit = exec.time_limit.map_or("-".into(), seconds);
    let root = Owner::root();
    let user = owner(exec.user.as_ref().unwrap_or(&root));
    let alone = if alone { "yes" } else { "no" };
    words.extend_from_slice(format!("exec {number} {limit} {user} {alone}\n").as_bytes());
    words
}

fn stage(words: &mut Vec<u8>, number: usize, name: &str, content: &[u8], program: &str) {
    if content.len() < TEXT && program.is_empty() {
        words.extend_from_slice(format!("text {number} {name}\n{}\n", escaped(content)).as_bytes());
        return;
    }
    for piece in content.chunks(PIECE) {
        words.extend_from_slice(
            format!("stage {number} {} {name}{program}\n", piece.len()).as_bytes(),
        );
        words.extend_from_slice(piece);
    }
    if content.is_empty() {
        // A script of nothing is still a file. A comment is nothing, and has a length.
        stage(words, number, name, b"#\n", program);
    }
}

/// One line that `printf %b` makes the content of.
fn escaped(content: &[u8]) -> String {
    content.iter().fold(String::new(), |mut line, byte| {
        match byte {
            b'\\' => line.push_str("\\\\"),
            b' '..=b'~' => line.push(char::from(*byte)),
            byte => line.push_str(&format!("\\0{byte:03o}")),
        }
        line
    })
}

/// A name that is one word of the agent's and none of the other files'.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._+-".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).take(100).collect();
    match name.as_str() {
        "" | "." | ".." | "job" | "shell" | "files" => format!("_{name}"),
        _ => name,
    }
}

/// As `sleep` reads it.
fn seconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => time.as_secs().max(1).to_string(),
        milliseconds => format!("{}.{milliseconds:03}", time.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agents_words_cannot_carry_is_refused_before_anything_begins() {
        let remove = |path: &str| check(&Op::Remove { path: path.into() });
        assert!(remove("/srv/a b").is_ok());
        for path in ["", "/", "//", "srv", "/a/../b", "/a\nb", "/a\0"] {
            assert!(remove(path).is_err(), "{path:?}");
        }
        let mut exec = Exec::shell("true");
        exec.env.insert("A B".into(), String::new());
        assert!(check(&Op::Exec(exec)).is_err());
        assert!(check(&Op::Exec(Exec::shell("a\0b"))).is_err());
        assert!(check(&Op::Exec(Exec::argv([""; 0]))).is_err());
        let user = Some(Owner { user: "a b".into(), group: None });
        assert!(check(&Op::Exec(Exec { user, ..Exec::shell("true") })).is_err());
    }

    #[test]
    fn neither_text_nor_environment_reaches_the_agents_own_words() {
        let mut exec = Exec::shell("echo body-secret");
        exec.env.insert("TOKEN".into(), "env-secret\nexec 9 - root - no".into());
        let words = words(&exec, 3, "/m", "n", false);
        let words = String::from_utf8(words).unwrap();
        // What is in a file is one line, whatever it holds, or is counted: it is never read as a word.
        let lines: Vec<&str> = words.lines().collect();
        let ["text 3 shell", _, "text 3 job", job, "exec 3 - root - no"] = lines[..] else {
            panic!("{words}")
        };
        assert!(job.contains("env-secret\\0012exec"), "{job}");
        exec.program = Program::Shell("x".repeat(PIECE + 1));
        let words = super::words(&exec, 3, "/m", "n", false);
        let words = String::from_utf8(words).unwrap();
        let (first, rest) = words.split_once('\n').unwrap();
        assert_eq!(first, format!("stage 3 {PIECE} shell"));
        assert!(rest[PIECE..].starts_with("stage 3 1 shell\nxtext 3 job\n"));
    }

    #[test]
    fn a_small_file_is_what_printf_makes_of_its_line() {
        let content: Vec<u8> = (1..=255).chain(*b"\\n%s $x 'a' \"b\" 0\n\n").collect();
        let script = "IFS= read -r line; printf %b \"$line\"";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script]).stdin(std::process::Stdio::piped());
        let mut shell = shell.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let line = format!("{}\n", escaped(&content));
        std::io::Write::write_all(&mut shell.stdin.take().unwrap(), line.as_bytes()).unwrap();
        assert_eq!(shell.wait_with_output().unwrap().stdout, content);
    }

    #[test]
    fn times_are_what_sleep_reads() {
        assert_eq!(seconds(Duration::from_millis(1500)), "1.500");
        assert_eq!(seconds(Duration::from_secs(60)), "60");
        assert_eq!(seconds(Duration::ZERO), "1");
    }
}
