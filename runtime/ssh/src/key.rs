//! Keys of users and of hosts: made here, never read from the user's home.

use crate::Error;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};
use std::fmt;
use std::sync::Arc;

/// An ed25519 key pair: of the user of one bake, or of a host that is about to start.
#[derive(Clone)]
pub struct KeyPair {
    private: Arc<PrivateKey>,
    private_openssh: Arc<str>,
    public_openssh: Arc<str>,
}

impl KeyPair {
    /// Makes a new pair from the system's randomness.
    ///
    /// # Errors
    /// Never in practice: only if an ed25519 key could not be encoded.
    pub fn generate() -> Result<Self, Error> {
        let encoding = |error| Error::environment("cannot make a key pair").caused_by(error);
        let private = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(encoding)?;
        Self::of(private).map_err(encoding)
    }

    /// Reads a private key as `ssh-keygen` writes it, without a passphrase.
    ///
    /// # Errors
    /// When it is none, or has a passphrase.
    pub fn parse(private_openssh: &str) -> Result<Self, Error> {
        let no_key = |error| {
            Error::input("this is no private key that can be used")
                .help("give one as `ssh-keygen -t ed25519` writes it, without a passphrase")
                .caused_by(error)
        };
        Self::of(PrivateKey::from_openssh(private_openssh).map_err(no_key)?).map_err(no_key)
    }

    fn of(private: PrivateKey) -> Result<Self, russh::keys::ssh_key::Error> {
        let private_openssh = private.to_openssh(LineEnding::LF)?;
        let public_openssh = private.public_key().to_openssh()?;
        Ok(Self {
            private_openssh: private_openssh.as_str().into(),
            public_openssh: public_openssh.into(),
            private: Arc::new(private),
        })
    }

    /// The private key as `ssh-keygen` writes it, without a passphrase. It goes into user data, never into a
    /// log.
    #[must_use]
    pub fn private_openssh(&self) -> &str {
        &self.private_openssh
    }

    /// The public key on one line, as in `authorized_keys`: `ssh-ed25519 AAAA…`.
    #[must_use]
    pub fn public_openssh(&self) -> &str {
        &self.public_openssh
    }

    /// The public key, to pin the host that is given this pair.
    #[must_use]
    pub fn host_key(&self) -> HostKey {
        HostKey(self.private.public_key().clone())
    }

    pub(crate) fn private(&self) -> Arc<PrivateKey> {
        self.private.clone()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.host_key().fingerprint())
    }
}

/// The public key that a host must prove to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(PublicKey);

impl HostKey {
    /// Reads one line as in `ssh_host_ed25519_key.pub`: algorithm, base64, and perhaps a comment.
    ///
    /// # Errors
    /// When it is no public key.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let mut key = PublicKey::from_openssh(line.trim()).map_err(|error| {
            Error::input("this is no public key of a host")
                .help("give one line as in `/etc/ssh/ssh_host_ed25519_key.pub`")
                .caused_by(error)
        })?;
        key.set_comment("");
        Ok(Self(key))
    }

    /// As `ssh-keygen -l` shows it: `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    pub(crate) fn of(key: PublicKey) -> Self {
        Self(key)
    }

    /// Comments do not count.
    pub(crate) fn is(&self, key: &PublicKey) -> bool {
        self.0.key_data() == key.key_data()
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_what_openssh_reads_and_its_debug_form_keeps_the_secret() {
        let pair = KeyPair::generate().unwrap();
        assert!(pair.private_openssh().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        assert!(pair.public_openssh().starts_with("ssh-ed25519 AAAA"));
        let parsed = HostKey::parse(&format!("{} root@host\n", pair.public_openssh())).unwrap();
        assert_eq!(parsed.fingerprint(), pair.host_key().fingerprint());
        assert!(!format!("{pair:?}").contains("PRIVATE"));
        let again = KeyPair::parse(pair.private_openssh()).unwrap();
        assert_eq!(again.public_openssh(), pair.public_openssh());
        assert_ne!(KeyPair::generate().unwrap().public_openssh(), pair.public_openssh());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(KeyPair::parse("-----BEGIN OPENSSH PRIVATE KEY-----\n").is_err());
        assert!(HostKey::parse("ssh-ed25519 AAAA").is_err());
        assert!(HostKey::parse("").is_err());
    }
}
