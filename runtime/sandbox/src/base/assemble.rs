use super::repository::lay_out;
use super::sources;
use crate::fault::Fault;
use crate::host::{HostCommand, argument, require};
use crate::layers::EPOCH;
use crate::run::Run;
use kiln::Debian;
use kiln_engine::Error;
use kiln_engine::driver::Output;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tokio::task::block_in_place;

/// `/bin` and its like are links before the first package is unpacked, as in every Debian since 12.
const MERGED_USR: &str = r#"for d in bin sbin lib; do mkdir -p "$1/usr/$d"; ln -s "usr/$d" "$1/$d"; done
if [ "$(dpkg --print-architecture)" = amd64 ]; then mkdir -p "$1/usr/lib64"; ln -s usr/lib64 "$1/lib64"; fi"#;

/// What the clock, this machine or the way of assembling has left. `/dev` is made afresh by whatever
/// runs the image.
const LEFTOVERS: [&str; 22] = [
    "dev",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "etc/.pwd.lock",
    "etc/group-",
    "etc/gshadow-",
    "etc/passwd-",
    "etc/shadow-",
    "etc/subgid-",
    "etc/subuid-",
    "etc/apt/sources.list.d",
    "run",
    "tmp",
    "var/cache/apt",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/apt/lists",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/triggers/Lock",
];

/// Directories that must be there, empty, with these modes.
const EMPTY: [(&str, u32); 9] = [
    ("dev", 0o755),
    ("etc/apt/sources.list.d", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("var/cache/apt", 0o755),
    ("var/cache/apt/archives", 0o755),
    ("var/cache/apt/archives/partial", 0o700),
    ("var/lib/apt/lists", 0o755),
    ("var/lib/apt/lists/partial", 0o700),
];

/// Makes a root of exactly these packages, without network. Equal packages give equal roots.
pub(super) async fn assemble(
    run: &Run,
    debian: &Debian,
    debs: &[PathBuf],
    dir: &Path,
    root: &Path,
    output: Output<'_>,
) -> Result<(), Error> {
    require(&["mmdebstrap", "unshare", "dpkg", "dpkg-deb"])?;
    let repository = block_in_place(|| lay_out(debs, &dir.join("archive")))?;
    output(&format!("installing {} packages", repository.packages.len()));
    let mut arguments: Vec<OsString> =
        ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "mmdebstrap"]
            .map(OsString::from)
            .to_vec();
    arguments.extend([
        "--mode=root".into(),
        "--variant=custom".into(),
        "--aptopt=APT::Sandbox::User \"root\"".into(),
        "--dpkgopt=force-unsafe-io".into(),
        format!("--include={}", repository.packages.join(",")).into(),
        format!("--setup-hook={MERGED_USR}").into(),
        debian.suite.clone().into(),
        argument("", root),
        repository.source.into(),
    ]);
    let command = HostCommand {
        program: "unshare",
        arguments,
        env: vec![("SOURCE_DATE_EPOCH", EPOCH.to_string().into()), ("TMPDIR", argument("", dir))],
    };
    let cgroup = run.cgroup().child(&run.name("base-"));
    let made = command.run(&cgroup, "the base cannot be assembled from its packages", output).await;
    cgroup.remove();
    made?;
    block_in_place(|| tidy(debian, root))
}

fn tidy(debian: &Debian, root: &Path) -> Result<(), Error> {
    for leftover in LEFTOVERS {
        remove(&root.join(leftover))?;
    }
    for (dir, mode) in EMPTY {
        use std::os::unix::fs::PermissionsExt;
        let dir = root.join(dir);
        std::fs::create_dir_all(&dir).doing("make", &dir)?;
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(mode)).doing("make", &dir)?;
    }
    for log in files_below(&root.join("var/log"))? {
        remove(&log)?;
    }
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        // A link here would lead out of the root.
        remove(&path)?;
        std::fs::write(&path, text).doing("write", &path)
    };
    write("etc/apt/sources.list", &(sources::lines(debian).join("\n") + "\n"))?;
    write("etc/hostname", "localhost\n")?;
    write(
        "etc/hosts",
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
         ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
    )?;
    write("etc/resolv.conf", "")?;
    // Made on the first boot of each machine (machine-id(5)).
    write("etc/machine-id", "")
}

fn files_below(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).doing("read", dir)? {
        let entry = entry.doing("read", dir)?;
        if entry.file_type().doing("read", dir)?.is_dir() {
            found.extend(files_below(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn remove(path: &Path) -> Result<(), Error> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path).doing("remove", path),
        Ok(_) => std::fs::remove_file(path).doing("remove", path),
        Err(_) => Ok(()),
    }
}
