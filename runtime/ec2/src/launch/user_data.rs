use kiln_ssh::KeyPair;
use serde_json::json;

/// Who logs in, by an sshd of the bake's own.
pub(crate) const LOGIN: &str = "root";

/// Where the bake's own sshd listens. The image's keeps its port, and its own rules of who may log in.
pub(crate) const PORT: u16 = 6022;

/// What cloud-init is handed: an sshd of the bake's own, and what the recipe wants done.
///
/// That sshd, its host key and the key that it lets in are in memory, made anew at each boot: nothing of them is in
/// a snapshot, and the image may forbid logins, delete its host keys or have no account for us. No default
/// user: the first one that a recipe makes has number 1000.
pub(crate) fn user_data(host: &KeyPair, login: &KeyPair, of_recipe: Option<&str>) -> String {
    let config = json!({
        "users": [],
        // The image's own, of one kind: making an RSA key takes longer than all else that cloud-init does.
        "ssh_genkeytypes": ["ed25519"],
        "bootcmd": [
            // They would take apt's locks in the middle of a step.
            ["systemctl", "--no-block", "stop", "apt-daily.timer", "apt-daily-upgrade.timer"],
            ["sh", "-ec", boot(host, login)],
        ],
    });
    // A JSON text is a YAML text, and quotes what it holds.
    let config = format!("#cloud-config\n{config}\n");
    match of_recipe {
        Some(text) if !text.trim().is_empty() => together(&config, text),
        _ => config,
    }
}

/// Run at each boot: starts the bake's sshd, and a timer that ends a machine which nobody ends. Nothing is waited
/// for: what comes before the end of cloud-init would be waited for in vain.
fn boot(host: &KeyPair, login: &KeyPair) -> String {
    include_str!("boot.sh")
        .replace("@HOST_KEY@", host.private_openssh().trim_end())
        .replace("@LOGIN_KEY@", login.public_openssh())
        .replace("@PORT@", &PORT.to_string())
        .replace("@SECONDS@", &crate::run::LIFETIME.as_secs().to_string())
}

/// Both as one message. Ours comes first, so that its values stand where the recipe gives the same key;
/// the recipe's lists are appended to ours
/// (<https://cloudinit.readthedocs.io/en/22.4.2/reference/merging.html>).
fn together(config: &str, of_recipe: &str) -> String {
    let mut boundary = "=====kiln=====".to_owned();
    while config.contains(&boundary) || of_recipe.contains(&boundary) {
        boundary.push('=');
    }
    let of_recipe = if is_message(of_recipe) {
        of_recipe.to_owned()
    } else {
        format!(
            "Content-Type: {}; charset=\"utf-8\"\n\
             MIME-Version: 1.0\n\
             Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n\n{of_recipe}",
            kind(of_recipe)
        )
    };
    format!(
        "Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n\
         --{boundary}\n\
         Content-Type: text/cloud-config; charset=\"utf-8\"\nMIME-Version: 1.0\n\n{config}\n\
         --{boundary}\n{of_recipe}\n\
         --{boundary}--\n"
    )
}

/// Whether a text is a message of several parts already: it becomes a part as it is.
fn is_message(text: &str) -> bool {
    let text = text.trim_start();
    ["Content-Type:", "MIME-Version:"].iter().any(|header| text.starts_with(header))
}

/// What cloud-init takes a text for, by its beginning
/// (<https://cloudinit.readthedocs.io/en/22.4.2/explanation/format.html>).
fn kind(text: &str) -> &'static str {
    const KINDS: [(&str, &str); 7] = [
        ("#!", "text/x-shellscript"),
        ("#cloud-config-archive", "text/cloud-config-archive"),
        ("#cloud-config", "text/cloud-config"),
        ("#cloud-boothook", "text/cloud-boothook"),
        ("#include-once", "text/x-include-once-url"),
        ("#include", "text/x-include-url"),
        ("## template: jinja", "text/jinja2"),
    ];
    let known = KINDS.iter().find(|(beginning, _)| text.starts_with(beginning));
    known.map_or("text/cloud-config", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(of_recipe: Option<&str>) -> String {
        let (host, login) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        user_data(&host, &login, of_recipe)
    }

    #[test]
    fn what_kiln_hands_over_is_a_cloud_config_without_users_and_with_an_sshd() {
        let (host, login) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let text = user_data(&host, &login, None);
        let config: serde_json::Value =
            serde_json::from_str(text.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        assert_eq!(config["users"].as_array().unwrap().len(), 0, "no default user either");
        let boot = config["bootcmd"][1][2].as_str().unwrap();
        assert!(boot.contains(host.private_openssh().trim()), "{boot}");
        assert!(boot.contains(login.public_openssh()), "{boot}");
        assert!(!boot.contains('@'), "nothing is left to fill in: {boot}");
        assert!(!text.contains(login.private_openssh().lines().nth(3).unwrap()));
        assert!(text.len() < 4096, "most of what EC2 takes is left to the recipe");
    }

    #[test]
    fn a_recipes_text_becomes_a_part_of_its_own_kind() {
        for (text, kind) in [
            ("#!/bin/sh\ntrue\n", "text/x-shellscript"),
            ("#cloud-config\ntimezone: UTC\n", "text/cloud-config"),
            ("#cloud-config-archive\n[]\n", "text/cloud-config-archive"),
            ("#include\nhttps://example.test/\n", "text/x-include-url"),
        ] {
            let whole = made(Some(text));
            assert!(whole.starts_with("Content-Type: multipart/mixed"), "{whole}");
            assert!(whole.contains(&format!("Content-Type: {kind};")), "{kind}");
            assert!(whole.contains(text), "{kind}");
        }
        assert!(made(Some("  \n")).starts_with("#cloud-config"));
    }

    #[test]
    fn a_message_of_several_parts_is_not_wrapped_and_no_text_ends_a_part() {
        let message =
            "Content-Type: multipart/mixed; boundary=\"=====kiln=====\"\n\n--=====kiln=====--\n";
        let whole = made(Some(message));
        assert_eq!(whole.matches("multipart/mixed").count(), 2);
        assert!(whole.starts_with("Content-Type: multipart/mixed; boundary=\"=====kiln======\""));
    }
}
