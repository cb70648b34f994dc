use crate::programs;
use std::fmt;
use std::path::Path;

/// Something of this machine that a command cannot do without.
#[derive(Debug)]
pub(crate) struct Need {
    /// Programs, or absolute paths, of which one is enough.
    pub(crate) any_of: &'static [&'static str],
    /// The Debian package that brings the first of them.
    pub(crate) package: &'static str,
    /// What it is for.
    pub(crate) reason: &'static str,
}

/// What baking needs.
pub(crate) const HOST: &[Need] = &[
    Need {
        any_of: &["mmdebstrap"],
        package: "mmdebstrap",
        reason: "assembles Debian bases from packages",
    },
    Need {
        any_of: &["crun", "runc"],
        package: "crun",
        reason: "runs the steps of a layer in a container",
    },
    Need { any_of: &["dpkg-deb"], package: "dpkg", reason: "reads packages" },
    Need { any_of: &["apt-get"], package: "apt", reason: "resolves packages" },
    Need {
        any_of: &["unshare"],
        package: "util-linux",
        reason: "keeps mounts out of this machine",
    },
    Need {
        any_of: &["/usr/share/keyrings/debian-archive-keyring.gpg"],
        package: "debian-archive-keyring",
        reason: "verifies Debian's archive",
    },
];

impl Need {
    pub(crate) fn is_met(&self) -> bool {
        self.any_of.iter().any(|name| {
            if name.starts_with('/') {
                Path::new(name).exists()
            } else {
                programs::find(name).is_some()
            }
        })
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.any_of.iter().map(|name| format!("`{name}`")).collect();
        f.write_str(&names.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_is_enough() {
        let need = |any_of| Need { any_of, package: "x", reason: "x" };
        assert!(need(&["no-such-program", "sh"]).is_met());
        assert!(need(&["/etc/passwd"]).is_met());
        assert!(!need(&["no-such-program", "/no/such/file"]).is_met());
    }
}
