//! Which machine, as whom, and how long to wait for it.

use crate::{Error, HostKey, KeyPair};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A machine and how to log in.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where sshd listens.
    pub address: SocketAddr,
    /// Who logs in: `root`, or a user who may run `sudo -n`.
    pub user: String,
    /// The user's key pair.
    pub key: KeyPair,
    /// The key that the machine must prove to hold; any other is refused.
    pub host_key: HostKey,
}

impl Target {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let ip = self.address.ip();
        let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
        if ip.is_unspecified() || ip.is_multicast() || broadcast || self.address.port() == 0 {
            return Err(Error::input(format!("`{}` is no address of a machine", self.address))
                .help("give the machine's own address and the port of its sshd"));
        }
        if !is_account(&self.user) {
            return Err(Error::input(format!(
                "`{}` is no name of a user",
                self.user.escape_debug()
            )));
        }
        Ok(())
    }
}

/// Until when to wait, and whether to go on waiting.
#[derive(Debug, Clone)]
pub struct Patience {
    /// When to give up.
    pub deadline: Instant,
    /// `true` as soon as the user has asked to stop. A closed channel is never interrupted.
    pub interrupted: watch::Receiver<bool>,
}

impl Patience {
    /// From now on, with nobody to interrupt.
    #[must_use]
    pub fn seconds(seconds: u64) -> Self {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        Self { deadline, interrupted: watch::channel(false).1 }
    }

    /// From now on, until this turns `true`.
    #[must_use]
    pub fn of(time: Duration, interrupted: watch::Receiver<bool>) -> Self {
        Self { deadline: Instant::now() + time, interrupted }
    }

    pub(crate) async fn interruption(&self) {
        interruption(self.interrupted.clone()).await;
    }
}

/// Returns when the user has asked to stop, and never if nobody is left who could.
pub(crate) async fn interruption(mut interrupted: watch::Receiver<bool>) {
    if interrupted.wait_for(|interrupted| *interrupted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A user or group by name or number, as the agent's words may hold it.
pub(crate) fn is_account(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    !name.is_empty() && name.len() <= 64 && !name.starts_with('-') && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_no_machine_are_refused() {
        let key = KeyPair::generate().unwrap();
        let to = |address: &str| Target {
            address: address.parse().unwrap(),
            user: "admin".into(),
            host_key: key.host_key(),
            key: key.clone(),
        };
        for address in
            ["0.0.0.0:22", "[::]:22", "224.0.0.1:22", "255.255.255.255:22", "127.0.0.1:0"]
        {
            assert!(to(address).check().is_err(), "{address}");
        }
        assert!(to("127.0.0.1:22").check().is_ok());
        assert!(Target { user: "a b".into(), ..to("127.0.0.1:22") }.check().is_err());
        assert!(Target { user: "-x".into(), ..to("127.0.0.1:22") }.check().is_err());
    }
}
