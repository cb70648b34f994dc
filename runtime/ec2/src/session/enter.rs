use super::put::{self, EPOCH};
use kiln_engine::Error;
use kiln_engine::driver::{ExecAction, Program};
use kiln_ssh::{Exec, Files, Medium};
use std::path::Path;
use std::time::Duration;

/// What steps leave outside of the image while they run; gone before a snapshot is taken. On the disk:
/// packages and what they unpack into `/tmp` may be larger than the memory.
pub(crate) const WORK: &str = "/var/tmp/kiln-bake";

/// Where a step finds its script and its locked files.
const STEP: &str = "/run/kiln/step";
const FILES: &str = "/run/kiln/files";

/// How long a command may take that says nothing of it.
const LONGEST: Duration = Duration::from_secs(3600);

/// What a command prints before it gives up because of what the image lacks.
pub(super) const COMPLAINT: &str = "kiln: ";

/// An [`ExecAction`] as a command in namespaces of its own, with the environment that steps have in every
/// builder.
///
/// # Errors
/// When its script is not what was planned.
pub(super) fn exec(action: &ExecAction) -> Result<Exec, Error> {
    let ExecAction { program, env, cwd, user, network, limits, files } = action;
    let (argv, script) = match program {
        Program::Argv(argv) => (argv.clone(), None),
        Program::Shell(text) => (shell(text), None),
        Program::Script { path, digest, args } => {
            let name = script_name(path);
            let archive = put::script(path, &name, *digest)?;
            let argv = std::iter::once(format!("{STEP}/{name}")).chain(args.iter().cloned());
            (argv.collect(), Some(archive))
        }
    };
    let (user, group) = match user.as_deref().unwrap_or("root").split_once(':') {
        Some((user, group)) => (user, group),
        None => (user.as_deref().unwrap_or("root"), ""),
    };
    let variables = [
        ("work", WORK),
        ("network", if *network { "yes" } else { "no" }),
        ("files", if files.is_some() { "yes" } else { "no" }),
        ("user", user),
        ("group", group),
        ("cwd", cwd.as_deref().unwrap_or("/")),
        ("sets_home", if env.contains_key("HOME") { "yes" } else { "no" }),
    ];
    let mut inner: String =
        variables.iter().map(|(name, value)| format!("{name}={}\n", quote(value))).collect();
    inner.push_str(include_str!("enter.sh"));
    let unshare = if *network { "unshare --mount" } else { "unshare --mount --net" };
    let words: Vec<String> = argv.iter().map(|word| quote(word)).collect();
    let text = format!(
        "{}exec {}{unshare} -- /bin/sh -e -c {} kiln {}\n",
        limit(limits.memory),
        scope(limits.memory),
        quote(&inner),
        words.join(" ")
    );
    let mut exec = Exec::shell(text);
    exec.env = env.clone();
    exec.env.entry("SOURCE_DATE_EPOCH".into()).or_insert_with(|| EPOCH.to_string());
    if files.is_some() {
        exec.env.insert("KILN_FILES".into(), FILES.into());
    }
    exec.time_limit = Some(limits.time_ms.map_or(LONGEST, Duration::from_millis));
    exec.files = script.map(|archive| Files {
        variable: "KILN_STEP".into(),
        archive,
        medium: Medium::Memory,
    });
    Ok(exec)
}

/// A resolving script in a throw-away copy of the machine's root, with network.
pub(super) fn script_in_copy(script: &str, limits: kiln::Limits) -> Exec {
    let inner = format!("script={}\n{}", quote(script), include_str!("resolve.sh"));
    let mut exec =
        Exec::shell(format!("exec unshare --mount -- /bin/sh -e -c {}\n", quote(&inner)));
    exec.env.insert("SOURCE_DATE_EPOCH".into(), EPOCH.to_string());
    exec.time_limit = Some(limits.time_ms.map_or(LONGEST, Duration::from_millis));
    exec
}

/// A shell text as every builder runs it.
fn shell(text: &str) -> Vec<String> {
    ["/bin/sh", "-e", "-c", text].map(ToOwned::to_owned).to_vec()
}

/// Bounds the memory where the machine counts none: of each process, not of all together.
fn limit(memory: Option<u64>) -> String {
    match memory {
        None => String::new(),
        Some(bytes) => format!(
            "scope=yes\n\
             grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null || [ -d /sys/fs/cgroup/memory ] || scope=no\n\
             [ $scope = yes ] || ulimit -v {}\n\
             set --; [ $scope = no ] || set -- systemd-run --quiet --scope --collect -p MemoryMax={bytes} -p MemorySwapMax=0 --\n",
            bytes.div_ceil(1024)
        ),
    }
}

fn scope(memory: Option<u64>) -> &'static str {
    if memory.is_some() { "\"$@\" " } else { "" }
}

fn script_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "script".into(), |name| name.to_string_lossy().into_owned())
}

/// One word of a shell text.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln::Limits;
    use kiln_ssh::Program as Remote;

    fn action(program: Program) -> ExecAction {
        ExecAction {
            program,
            env: [("A".to_owned(), "it's".to_owned())].into(),
            cwd: None,
            user: None,
            network: false,
            limits: Limits::default(),
            files: None,
        }
    }

    fn text(exec: &Exec) -> &str {
        match &exec.program {
            Remote::Shell(text) => text,
            other => panic!("not a shell text: {other:?}"),
        }
    }

    #[test]
    fn a_command_without_network_has_a_network_namespace_of_its_own() {
        let alone = exec(&action(Program::Shell("true".into()))).unwrap();
        assert!(text(&alone).contains("unshare --mount --net --"), "{}", text(&alone));
        let online = ExecAction { network: true, ..action(Program::Shell("true".into())) };
        let online = exec(&online).unwrap();
        assert!(!text(&online).contains("--net"), "{}", text(&online));
    }

    #[test]
    fn every_command_has_an_end_and_the_builders_time() {
        let exec = exec(&action(Program::Argv(vec!["true".into()]))).unwrap();
        assert_eq!(exec.time_limit, Some(LONGEST));
        assert_eq!(exec.env["SOURCE_DATE_EPOCH"], EPOCH.to_string());
        assert_eq!(exec.env["A"], "it's");
        assert!(!exec.env.contains_key("KILN_FILES"));
    }

    #[test]
    fn words_stay_words() {
        assert_eq!(quote("it's"), "'it'\\''s'");
    }
}
