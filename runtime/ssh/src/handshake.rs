//! The protocol's side of a connection: what the client offers, what it believes, what it refuses.

use crate::HostKey;
use russh::client::{self, Config, DisconnectReason, Msg};
use russh::keys::{Algorithm, EcdsaCurve, PublicKeyOrCertificate};
use russh::{Channel, Preferred, cipher, kex};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// A peer that answers nothing for three of these is dead.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(5);

/// What is offered to a host of which this key is expected.
pub(crate) fn config(host_key: &HostKey) -> Config {
    // The pinned key's algorithm first: a host that has it shows it. The others only so that a foreign host shows
    // which key it has.
    let mut keys = vec![host_key.algorithm()];
    let p256 = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };
    keys.extend([Algorithm::Ed25519, p256].into_iter().filter(|key| *key != host_key.algorithm()));
    Config {
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 2,
        // Small words of the agent's must not wait for each other.
        nodelay: true,
        // Of channels' output, in messages of up to 32 KiB.
        channel_buffer_size: 64,
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Owned(keys),
            // AES-GCM in hardware moves a gigabyte in less than a second; ChaCha20 takes three.
            cipher: Cow::Borrowed(CIPHERS),
            ..Preferred::default()
        },
        ..Config::default()
    }
}

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_128_CTR,
];

/// Believes one host key, and says when and why the connection ended.
pub(crate) struct Client {
    pub(crate) expected: HostKey,
    /// The key of a host that is another.
    pub(crate) foreign: Arc<OnceLock<HostKey>>,
    pub(crate) ended: watch::Sender<Option<String>>,
}

/// Refuses one kind of channel: nothing on the machine has a reason to open one to here. `russh` would accept.
macro_rules! refuse {
    ($($name:ident($($argument:ty),*);)*) => {$(
        async fn $name(
            &mut self,
            _: Channel<Msg>,
            $(_: $argument,)*
            reply: client::ChannelOpenHandle,
            _: &mut client::Session,
        ) -> Result<(), russh::Error> {
            reply.reject(russh::ChannelOpenFailure::AdministrativelyProhibited).await;
            Ok(())
        }
    )*};
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let key = key.public_key();
        let same = self.expected.is(&key);
        if !same {
            // Set once a connection: a second exchange of keys is checked as the first.
            let _ = self.foreign.set(HostKey::of(key));
        }
        Ok(same)
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<russh::Error>,
    ) -> Result<(), russh::Error> {
        let words = match &reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                let said: String = said.message.chars().take(200).collect();
                format!("the machine ended the connection: {}", said.escape_debug())
            }
            DisconnectReason::Error(error) => why(error),
        };
        self.ended.send_replace(Some(words));
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }

    refuse! {
        server_channel_open_forwarded_tcpip(&str, u32, &str, u32);
        server_channel_open_forwarded_streamlocal(&str);
        server_channel_open_agent_forward();
        server_channel_open_session();
        server_channel_open_direct_tcpip(&str, u32, &str, u32);
        server_channel_open_direct_streamlocal(&str);
        server_channel_open_x11(&str, u32);
    }
}

/// The protocol's errors in the words of this crate.
pub(crate) fn why(error: &russh::Error) -> String {
    match error {
        russh::Error::KeepaliveTimeout => "the machine does not answer any more".into(),
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            "the machine does not answer any more".into()
        }
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the connection was closed".into()
        }
        russh::Error::Disconnect | russh::Error::HUP => "the connection was closed".into(),
        russh::Error::IO(error) => error.to_string().to_lowercase(),
        // Some hold what the machine sent.
        error => error.to_string().chars().take(300).collect::<String>().escape_debug().to_string(),
    }
}
