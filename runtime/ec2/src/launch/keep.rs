use super::{LOGIN, PORT};
use kiln_engine::Error;
use kiln_ssh::KeyPair;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Writes down what a person needs to log in to a machine: the key, and the host's. Returns the command.
pub(super) fn keys(
    kept: &Path,
    instance: &str,
    address: IpAddr,
    host: &KeyPair,
    login: &KeyPair,
) -> Result<String, Error> {
    let dir = kept.join(instance);
    let failed = |error: std::io::Error| {
        Error::environment(format!("cannot write `{}`", dir.display())).caused_by(error)
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(failed)?;
    let (key, hosts) = (dir.join("key"), dir.join("known_hosts"));
    // ssh refuses a key that others can read.
    let private =
        std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&key);
    private
        .and_then(|mut file| file.write_all(login.private_openssh().as_bytes()))
        .map_err(failed)?;
    std::fs::write(&hosts, format!("[{address}]:{PORT} {}\n", host.public_openssh()))
        .map_err(failed)?;
    Ok(format!(
        "ssh -p {PORT} -i {} -o UserKnownHostsFile={} {LOGIN}@{address}",
        key.display(),
        hosts.display()
    ))
}
