use crate::setup::Need;

/// What a lab needs of this machine.
pub(crate) const NEEDS: &[Need] = &[
    Need { any_of: &["/usr/bin/python3"], package: "python3", reason: "runs the control plane" },
    Need {
        any_of: &["/var/lib/dpkg/info/python3-venv.list"],
        package: "python3-venv",
        reason: "keeps the control plane's packages apart",
    },
    Need { any_of: &["mmdebstrap"], package: "mmdebstrap", reason: "makes the instances' Debian" },
    Need {
        any_of: &["/usr/share/keyrings/debian-archive-keyring.gpg"],
        package: "debian-archive-keyring",
        reason: "verifies Debian's archive",
    },
    Need {
        any_of: &["systemd-nspawn"],
        package: "systemd-container",
        reason: "boots the instances",
    },
    Need {
        any_of: &["haproxy", "/usr/sbin/haproxy"],
        package: "haproxy",
        reason: "forwards what load balancers are asked",
    },
    Need { any_of: &["ip"], package: "iproute2", reason: "makes the instances' network" },
    Need { any_of: &["nft"], package: "nftables", reason: "filters as security groups say" },
    Need { any_of: &["nsenter"], package: "util-linux", reason: "enters an instance" },
    Need { any_of: &["mount"], package: "mount", reason: "mounts the instances' volumes" },
    Need {
        any_of: &["ssh-keygen"],
        package: "openssh-client",
        reason: "reaches the instances, and makes their keys",
    },
];
