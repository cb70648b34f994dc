use super::sources;
use crate::cgroup::Cgroup;
use crate::fault::Fault;
use crate::host::{HostCommand, argument, require};
use crate::run::Run;
use kiln::Debian;
use kiln_engine::Error;
use kiln_engine::driver::Output;
use kiln_engine::lock::LockedFile;
use std::collections::BTreeSet;
use std::path::Path;

/// What a base has beside the required packages and apt: what boots to a service.
const ALWAYS: [&str; 6] = ["apt", "ca-certificates", "dbus", "iproute2", "netbase", "systemd-sysv"];

/// Asks the archive for the packages of a base as they are today: apt resolves them against an empty
/// system, so the list is everything that the base consists of.
pub(super) async fn resolve(
    run: &Run,
    debian: &Debian,
    output: Output<'_>,
) -> Result<Vec<LockedFile>, Error> {
    require(&["mmdebstrap", "apt-get", "apt-cache", "dpkg"])?;
    let dir = run.make_dir("apt-")?;
    let cgroup = run.cgroup().child(&run.name("base-"));
    let found = ask(&dir, &cgroup, debian, output).await;
    cgroup.remove();
    run.discard(&dir)?;
    found
}

async fn ask(
    dir: &Path,
    cgroup: &Cgroup,
    debian: &Debian,
    output: Output<'_>,
) -> Result<Vec<LockedFile>, Error> {
    if !Path::new(sources::KEYRING).exists() {
        return Err(Error::environment(format!("Debian's keys are not at `{}`", sources::KEYRING))
            .help("apt-get install debian-archive-keyring"));
    }
    let architecture = apt("dpkg", dir, &["--print-architecture"])
        .capture(cgroup, "cannot tell this machine's Debian architecture")
        .await?;
    let architecture = String::from_utf8_lossy(&architecture).trim().to_owned();
    prepare(dir, debian, &architecture)?;

    output(&format!("asking {} for {}", debian.mirror, debian.suite));
    apt("apt-get", dir, &["-q", "update"])
        .run(cgroup, &format!("cannot read suite `{}` of {}", debian.suite, debian.mirror), output)
        .await
        .map_err(|error| error.help("is the mirror reachable, and does it have this suite?"))?;
    let available = apt("apt-cache", dir, &["dumpavail"])
        .capture(cgroup, "cannot list the packages of the archive")
        .await?;
    let mut wanted: BTreeSet<String> = required(&String::from_utf8_lossy(&available));
    wanted.extend(ALWAYS.map(str::to_owned));
    wanted.extend(debian.include.iter().cloned());

    let mut arguments =
        vec!["-qq", "--print-uris", "-y", "--no-install-recommends", "install", "--"];
    arguments.extend(wanted.iter().map(String::as_str));
    let uris = apt("apt-get", dir, &arguments)
        .capture(cgroup, "cannot find the packages of the base")
        .await
        .map_err(|error| {
            let lines = error.output_lines();
            let missing = lines.iter().find_map(|line| {
                line.split_once("Unable to locate package ").map(|(_, name)| name.to_owned())
            });
            match missing {
                Some(name) => {
                    let lines = lines.to_vec();
                    let suite = &debian.suite;
                    Error::input(format!("`{suite}` has no package `{name}`"))
                        .output(lines)
                        .help("check the name; virtual packages and other suites are not searched")
                }
                None => error,
            }
        })?;
    let text = String::from_utf8_lossy(&uris);
    let mut files = text.lines().map(locked).collect::<Result<Vec<_>, _>>()?;
    files.sort();
    Ok(files)
}

/// A configuration of apt's own that knows nothing of this machine's packages, keys and proxies but the
/// environment's.
fn prepare(dir: &Path, debian: &Debian, architecture: &str) -> Result<(), Error> {
    for part in ["etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d", "state/lists/partial"]
    {
        let part = dir.join(part);
        std::fs::create_dir_all(&part).doing("make", &part)?;
    }
    let cache = dir.join("cache/archives/partial");
    std::fs::create_dir_all(&cache).doing("make", &cache)?;
    let at = dir.display();
    let config = format!(
        "Dir::Etc \"{at}/etc\";\nDir::Etc::parts \"{at}/etc/apt.conf.d\";\nDir::State \"{at}/state\";\n\
         Dir::State::status \"{at}/status\";\nDir::Cache \"{at}/cache\";\n\
         APT::Architecture \"{architecture}\";\nAPT::Architectures {{ \"{architecture}\"; }};\n\
         APT::Sandbox::User \"root\";\nAPT::Update::Error-Mode \"any\";\n\
         APT::Install-Recommends \"false\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
         Acquire::ForceHash \"SHA256\";\n"
    );
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).doing("write", &path)
    };
    write("apt.conf", &config)?;
    write("status", "")?;
    write("etc/sources.list", &(sources::lines(debian).join("\n") + "\n"))
}

fn apt(program: &'static str, dir: &Path, arguments: &[&str]) -> HostCommand {
    HostCommand {
        program,
        arguments: arguments.iter().map(Into::into).collect(),
        env: vec![("APT_CONFIG", argument("", &dir.join("apt.conf")))],
    }
}

/// The packages that the archive itself says every system has.
fn required(available: &str) -> BTreeSet<String> {
    let is_required = |stanza: &&str| {
        stanza.lines().any(|line| matches!(line, "Priority: required" | "Essential: yes"))
    };
    let name = |stanza: &str| {
        let line = stanza.lines().find_map(|line| line.strip_prefix("Package: "));
        line.map(str::to_owned)
    };
    available.split("\n\n").filter(is_required).filter_map(name).collect()
}

/// A line of `apt-get --print-uris`: `'URL' FILE SIZE SHA256:HEX`.
fn locked(line: &str) -> Result<LockedFile, Error> {
    let malformed = || Error::environment(format!("apt printed a line of no known form: `{line}`"));
    let [url, file, size, hash] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(malformed());
    };
    let url = url.trim_matches('\'');
    let sha256 = hash.strip_prefix("SHA256:").ok_or_else(malformed)?;
    // NAME_VERSION_ARCHITECTURE.deb, the colon of an epoch as `%3a`.
    let version = file.split('_').nth(1).ok_or_else(malformed)?.replace("%3a", ":");
    format!("sha256:{sha256} {size} {version} {url}").parse().map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_apt_become_locked_files() {
        let hex = "a".repeat(64);
        let line =
            format!("'http://x/libc_1%3a2%2b1_amd64.deb' libc_1%3a2+1_amd64.deb 7 SHA256:{hex}");
        let file = locked(&line).unwrap();
        assert_eq!((file.version.as_str(), file.size), ("1:2+1", 7));
        assert_eq!(file.name(), "libc_1:2+1_amd64.deb");
        assert!(locked("'http://x/a_1_all.deb' a_1_all.deb 7 MD5Sum:00").is_err());
        assert!(locked("").is_err());
    }

    #[test]
    fn required_and_essential_packages_are_found() {
        let text = "Package: a\nPriority: required\n\nPackage: b\nPriority: optional\n\n\
                    Essential: yes\nPackage: c\n\nPackage: d\nDescription: x\n Priority: required\n";
        assert_eq!(required(text).into_iter().collect::<Vec<_>>(), ["a", "c"]);
    }
}
