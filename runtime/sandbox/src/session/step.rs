use super::machine::Machine;
use crate::accounts::Accounts;
use crate::config::{SEARCH_PATH, step_capabilities};
use crate::fault::Fault;
use crate::files::Files;
use crate::layers::EPOCH;
use crate::process::Process;
use crate::put::Root;
use kiln_engine::driver::{ExecAction, Output, Program};
use kiln_engine::{Digest, Error};
use rustix::fs::{FileType, Mode, chmod};
use std::path::Path;

/// Where a step finds its script, and its locked files, in the container.
const SCRIPT: &str = "/run/kiln/step";
const FILES: &str = "/run/kiln/files";

/// Lays out what an action needs from outside in the directory that its container sees.
pub(super) fn stage(
    files: &Files,
    machine: &Machine,
    action: &ExecAction,
    output: Output<'_>,
) -> Result<(), Error> {
    let share = machine.share();
    for part in ["step", "files"] {
        let part = share.join(part);
        if part.exists() {
            std::fs::remove_dir_all(&part).doing("remove", &part)?;
        }
    }
    if let Some(locked) = &action.files {
        let dir = share.join("files");
        std::fs::create_dir(&dir).doing("make", &dir)?;
        for (file, kept) in locked.iter().zip(files.fetch(locked, output)?) {
            let name = dir.join(file.name());
            std::fs::hard_link(&kept, &name)
                .or_else(|_| std::fs::copy(&kept, &name).map(|_| ()))
                .doing("lay out", &name)?;
            chmod(&name, Mode::from_raw_mode(0o644)).doing("lay out", &name)?;
        }
    }
    if let Program::Script { path, digest, .. } = &action.program {
        let dir = share.join("step");
        std::fs::create_dir(&dir).doing("make", &dir)?;
        let content = std::fs::read(path).map_err(|cause| {
            let shown = path.display();
            Error::input(format!("cannot read script `{shown}`")).caused_by(cause)
        })?;
        if Digest::of(&content) != *digest {
            let shown = path.display();
            return Err(Error::input(format!("`{shown}` changed while the image was being baked"))
                .help("bake again"));
        }
        let staged = dir.join(script_name(path));
        std::fs::write(&staged, content).doing("write", &staged)?;
        chmod(&staged, Mode::from_raw_mode(0o755)).doing("write", &staged)?;
    }
    Ok(())
}

/// The process of an action, as whom and where it says.
///
/// # Errors
/// When the image lacks the user, the directory, or the program: the runtime would say less.
pub(super) fn process(root: &Root, action: &ExecAction) -> Result<Process, Error> {
    let identity = Accounts::of(root)?.identity(action.user.as_deref().unwrap_or("root"))?;
    let mut env: Vec<(String, String)> = vec![
        ("PATH".into(), SEARCH_PATH.into()),
        ("HOME".into(), identity.home.clone()),
        ("LANG".into(), "C.UTF-8".into()),
        ("SOURCE_DATE_EPOCH".into(), EPOCH.to_string()),
    ];
    if action.files.is_some() {
        env.push(("KILN_FILES".into(), FILES.into()));
    }
    for (name, value) in &action.env {
        env.retain(|(known, _)| known != name);
        env.push((name.clone(), value.clone()));
    }
    let cwd = action.cwd.clone().unwrap_or_else(|| "/".into());
    // `/tmp` and `/run` are there in the container only.
    let outside = ["/tmp", "/run", "/dev", "/proc", "/sys"].iter().any(|dir| cwd.starts_with(dir));
    if !outside && !matches!(root.stat(&cwd), Some((FileType::Directory, _))) {
        return Err(Error::input(format!(
            "the image has no directory `{cwd}` to run the command in"
        ))
        .help("make it in an earlier step, with `file`"));
    }
    let argv = match &action.program {
        Program::Shell(script) => {
            require(root, "/bin/sh")?;
            vec!["/bin/sh".into(), "-e".into(), "-c".into(), script.clone()]
        }
        Program::Argv(argv) => {
            let program = argv.first().ok_or_else(|| Error::input("the command is empty"))?;
            let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_str());
            require_on_path(root, program, path.unwrap_or(SEARCH_PATH))?;
            argv.clone()
        }
        Program::Script { path, args, .. } => {
            require_interpreter(root, path)?;
            let script = format!("{SCRIPT}/{}", script_name(path));
            std::iter::once(script).chain(args.iter().cloned()).collect()
        }
    };
    Ok(Process { argv, env, cwd, identity, capabilities: step_capabilities() })
}

fn script_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "script".into(), |name| name.to_string_lossy().into_owned())
}

fn require(root: &Root, program: &str) -> Result<(), Error> {
    match root.stat(program) {
        Some((FileType::RegularFile, mode)) if mode & 0o111 != 0 => Ok(()),
        _ => Err(Error::input(format!("the image has no `{program}`"))
            .help("install it in an earlier step, or start from a base that has it")),
    }
}

fn require_on_path(root: &Root, program: &str, path: &str) -> Result<(), Error> {
    if program.contains('/') {
        return if program.starts_with('/') { require(root, program) } else { Ok(()) };
    }
    if path.split(':').any(|dir| require(root, &format!("{dir}/{program}")).is_ok()) {
        return Ok(());
    }
    Err(Error::input(format!("the image has no program `{program}` on its PATH"))
        .help("install it in an earlier step, or give the whole path"))
}

fn require_interpreter(root: &Root, script: &Path) -> Result<(), Error> {
    let content = std::fs::read(script).doing("read", script)?;
    let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let Some(interpreter) = line.strip_prefix("#!") else {
        // A program of its own, for all we know.
        if content.starts_with(b"\x7fELF") {
            return Ok(());
        }
        return Err(Error::input(format!("script `{}` has no `#!` line", script.display()))
            .help("begin it with `#!/bin/sh`"));
    };
    require(root, interpreter.split_whitespace().next().unwrap_or_default())
}
