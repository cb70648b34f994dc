use crate::programs;
use crate::setup::Need;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// What Kiln is compared with, and what measuring needs.
pub(super) const NEEDS: &[Need] = &[
    Need { any_of: &["/usr/bin/docker"], package: "docker.io", reason: "BuildKit, to compare" },
    Need { any_of: &["dockerd"], package: "docker.io", reason: "BuildKit, to compare" },
    Need { any_of: &["buildah"], package: "buildah", reason: "to compare" },
    Need { any_of: &["runc"], package: "runc", reason: "what BuildKit and buildah run steps in" },
    Need { any_of: &["git"], package: "git", reason: "copies this checkout" },
    Need { any_of: &["setpriv"], package: "util-linux", reason: "ends daemons with the benchmark" },
    Need { any_of: &["tar"], package: "tar", reason: "hands the base to the others" },
    Need { any_of: &["xargs"], package: "findutils", reason: "hands files to `b3sum`" },
];

/// Of the group `ssh`.
pub(super) const SSH: &[Need] = &[
    Need { any_of: &["scp"], package: "openssh-client", reason: "to compare" },
    Need { any_of: &["rsync"], package: "rsync", reason: "to compare" },
    Need { any_of: &["/usr/bin/python3"], package: "python3", reason: "Ansible and pyinfra" },
    Need {
        any_of: &["/var/lib/dpkg/info/python3-venv.list"],
        package: "python3-venv",
        reason: "keeps Ansible and pyinfra apart",
    },
    Need { any_of: &["diff"], package: "diffutils", reason: "compares what was copied" },
];

/// Of the group `ec2`, beside what a lab needs.
pub(super) const EC2: &[Need] =
    &[Need { any_of: &["packer"], package: "packer", reason: "to compare" }];

/// Where `b3sum` is.
///
/// # Errors
/// When it is nowhere: with the command that installs it.
pub(super) fn b3sum(workspace: &Workspace) -> Result<PathBuf> {
    let beside = workspace.cargo().with_file_name("b3sum");
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo/bin/b3sum"));
    let candidates = programs::find("b3sum").into_iter().chain([beside]).chain(home);
    candidates.into_iter().find(|path| path.exists()).context(
        "there is no `b3sum` to compare with\nhelp: run `cargo install --locked b3sum`, or leave `hashing` out",
    )
}
