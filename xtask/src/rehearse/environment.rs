use super::cloud::NAME;
use crate::lab;
use anyhow::{Result, bail, ensure};
use std::net::SocketAddr;
use std::process::Command;

/// What nothing works without in a lab, or works on something of the user's.
const NEEDED: [&str; 4] =
    ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "KILN_STATE"];

/// What keeps AWS tools from looking into the user's files, which may name another endpoint.
const NO_FILES: [(&str, &str); 3] = [
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false"),
];

/// The variables that point commands at the lab.
#[derive(Debug)]
pub(super) struct Environment(Vec<(String, String)>);

impl Environment {
    /// Of what `lab env` prints.
    ///
    /// # Errors
    /// When commands would reach anything but a lab on this machine by it.
    pub(super) fn of_lab(exports: &str) -> Result<Self> {
        let variables = lab::variables(exports);
        for needed in NEEDED {
            let is_set = variables.iter().any(|(name, value)| name == needed && !value.is_empty());
            ensure!(is_set, "the lab does not say `{needed}`\n{}", help());
        }
        for (name, value) in &variables {
            if name.starts_with("AWS_ENDPOINT_URL") && !is_here(value) {
                bail!("`{name}` of the lab is `{value}`, which is not on this machine\n{}", help());
            }
            if name == "KILN_STATE" && value.contains("://") {
                bail!("`{name}` of the lab is `{value}`, which is no folder\n{}", help());
            }
        }
        Ok(Self(variables))
    }

    /// Points a command at the lab, and at nothing of the user's.
    pub(super) fn point(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command.envs(NO_FILES).envs(self.0.iter().map(|(name, value)| (name, value)));
    }
}

/// The lab listens on a loopback address. A name could mean another machine.
fn is_here(url: &str) -> bool {
    let address = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let address = address.and_then(|address| address.parse::<SocketAddr>().ok());
    address.is_some_and(|address| address.ip().is_loopback())
}

fn help() -> String {
    format!("help: nothing was deployed; `cargo xtask lab up --name {NAME}` prints what it says")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    const LAB: &str = "export AWS_ACCESS_KEY_ID=lab\n\
                       export AWS_ENDPOINT_URL=http://127.0.0.1:41234\n\
                       export AWS_REGION=eu-west-1\n\
                       export AWS_SECRET_ACCESS_KEY=lab-secret\n\
                       export KILN_STATE=/var/lib/kiln-lab/rehearsal/deployments\n";

    #[test]
    fn commands_are_pointed_at_the_lab_and_at_no_file_of_the_user() {
        let mut command = Command::new("true");
        Environment::of_lab(LAB).unwrap().point(&mut command);
        for (name, value) in [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:41234"),
            ("KILN_STATE", "/var/lib/kiln-lab/rehearsal/deployments"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false"),
        ] {
            let set = command.get_envs().find(|(known, _)| *known == OsStr::new(name));
            assert_eq!(set.and_then(|(_, value)| value), Some(OsStr::new(value)), "{name}");
        }
    }

    #[test]
    fn a_lab_that_leaves_out_what_is_needed_is_refused() {
        assert!(Environment::of_lab("").is_err());
        for needed in NEEDED {
            let unset = LAB.replace(&format!("export {needed}="), "# ");
            let refused = Environment::of_lab(&unset).unwrap_err().to_string();
            assert!(refused.contains(needed), "{refused}");
            let line = LAB.lines().find(|line| line.contains(needed)).unwrap();
            let empty = LAB.replace(line, &format!("export {needed}="));
            assert!(Environment::of_lab(&empty).is_err(), "{needed}");
        }
    }

    #[test]
    fn an_endpoint_elsewhere_is_refused() {
        let with = |url: &str| LAB.replace("http://127.0.0.1:41234", url);
        for url in ["http://127.9.9.9:80", "http://[::1]:4566/"] {
            assert!(Environment::of_lab(&with(url)).is_ok(), "{url}");
        }
        for url in [
            "https://ec2.eu-west-1.amazonaws.com",
            "http://127.0.0.1.example.com:80",
            "http://127.0.0.1:80@example.com",
            "http://127.0.0.1:80@example.com:80",
            "http://localhost:80",
            "http://172.17.0.1:80",
            "127.0.0.1:80",
        ] {
            assert!(Environment::of_lab(&with(url)).is_err(), "{url}");
        }
        let of_s3 = format!("{LAB}export AWS_ENDPOINT_URL_S3=https://s3.amazonaws.com\n");
        assert!(Environment::of_lab(&of_s3).is_err());
    }

    #[test]
    fn a_state_that_is_no_folder_is_refused() {
        let bucket = LAB.replace("/var/lib/kiln-lab/rehearsal/deployments", "s3://bucket/prefix");
        assert!(Environment::of_lab(&bucket).is_err());
    }
}
