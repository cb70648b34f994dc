//! What every server starts from: a small Debian that only `deploy` can log in to, with a key.

use kiln::prelude::*;

/// Who may log in. An example: put your own keys here, nobody has the private half of this one.
const DEPLOY_KEYS: [&str; 1] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEVYQU1QTEUtUFVULVlPVVItT1dOLUtFWS1IRVJFLSEh example@kiln.invalid",
];

image! {
    /// Hardened Debian 12: SSH by key only, no root login, strict kernel settings.
    pub base {
        base: debian("bookworm"),

        // What changes seldom comes first: each layer is built again only when it or one before it changes.
        layer ssh {
            apt: ["openssh-server"],
            // Installing made host keys. In an image they would be every server's; each makes its own instead.
            run: "rm -f /etc/ssh/ssh_host_*",
            unit: "ssh-host-keys.service" { template: "files/base/ssh-host-keys.service", enable: true },
            copy: "files/base/sshd.conf" => "/etc/ssh/sshd_config.d/10-hardening.conf",
        }

        layer hardening {
            copy: "files/base/sysctl.conf" => "/etc/sysctl.d/60-hardening.conf",
            // An image is replaced, never upgraded in place.
            service: "apt-daily.timer" { mask: true },
            service: "apt-daily-upgrade.timer" { mask: true },
        }

        layer deploy {
            user: "deploy" { uid: 1000, authorized_keys: DEPLOY_KEYS },
        }

        test accepts_ssh { tcp: 22 }
        test sshd_settings_are_valid { run: "sshd -t" }
        test nobody_logs_in_as_root { run: "sshd -T | grep -qx 'permitrootlogin no'" }
        test nobody_logs_in_with_a_password { run: "sshd -T | grep -qx 'passwordauthentication no'" }
    }
}
