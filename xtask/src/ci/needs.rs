use crate::setup::Need;

/// What the tests need beyond what baking needs.
pub(super) const TESTS: &[Need] = &[
    Need { any_of: &["git"], package: "git", reason: "cargo and the tests of this checkout" },
    Need { any_of: &["cc"], package: "gcc", reason: "links, and compiles zstd and xz" },
    Need {
        any_of: &["/usr/include/stdlib.h"],
        package: "libc6-dev",
        reason: "links, and compiles zstd and xz",
    },
    Need { any_of: &["curl"], package: "curl", reason: "asks exported images for their pages" },
    Need {
        any_of: &["/etc/ssl/certs/ca-certificates.crt"],
        package: "ca-certificates",
        reason: "fetches crates and the advisory database",
    },
    Need { any_of: &["diff"], package: "diffutils", reason: "compares unpacked archives" },
    Need { any_of: &["tar"], package: "tar", reason: "makes archives to unpack" },
    Need { any_of: &["runc"], package: "runc", reason: "the other OCI runtime" },
    Need { any_of: &["skopeo"], package: "skopeo", reason: "reads exported layouts" },
    Need { any_of: &["umoci"], package: "umoci", reason: "unpacks exported layouts" },
    Need { any_of: &["podman"], package: "podman", reason: "runs exported images" },
    Need {
        any_of: &["systemd-nspawn"],
        package: "systemd-container",
        reason: "boots exported images",
    },
    Need { any_of: &["packer"], package: "packer", reason: "bakes in the lab, to accept it" },
    Need { any_of: &["rsync"], package: "rsync", reason: "what SSH is compared with" },
    Need { any_of: &["sudo"], package: "sudo", reason: "what Kiln becomes root by on a machine" },
    Need { any_of: &["zstd"], package: "zstd", reason: "what trees are compressed with over SSH" },
];
