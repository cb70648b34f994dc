//! One authenticated connection to a machine, and how it ends.

use crate::handshake::{Client, config, why};
use crate::{Error, ErrorKind, HostKey, Reached, Target};
use russh::client::{self, AuthResult, Handle, Msg};
use russh::keys::PrivateKeyWithHashAlg;
use russh::{Channel, Disconnect};
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// A packet to a machine that is about to start is often lost: better another connection than its retransmission.
const TO_CONNECT: Duration = Duration::from_secs(5);

/// For the banner, the keys, and the login. A machine that boots is slow.
const TO_LOG_IN: Duration = Duration::from_secs(20);

/// What was sent and not acknowledged for so long was sent to a dead peer. The protocol's keepalive does not see
/// one while a write blocks.
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

/// A connection that is logged in.
pub(crate) struct Link {
    handle: Handle<Client>,
    ended: watch::Receiver<Option<String>>,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum NoLink {
    /// Another try may succeed.
    Yet(Reached, String),
    /// No other try will.
    Ever(Error),
}

impl Link {
    /// `connected` is called when something has accepted the connection.
    pub(crate) async fn open(target: &Target, connected: impl FnOnce()) -> Result<Self, NoLink> {
        let stream = connect(target).await?;
        connected();
        let foreign = Arc::new(OnceLock::new());
        let (ended, end) = watch::channel(None);
        let expected = target.host_key.clone();
        let client = Client { expected, foreign: foreign.clone(), ended };
        let login = log_in(target, stream, client, &foreign);
        match timeout(TO_LOG_IN, login).await {
            Ok(handle) => Ok(Self { handle: handle?, ended: end }),
            Err(_) => Err(NoLink::Yet(Reached::Handshake, "no answer".into())),
        }
    }

    /// A channel for a command. The error says why the connection ended.
    pub(crate) async fn channel(&self) -> Result<Channel<Msg>, String> {
        match self.handle.channel_open_session().await {
            Ok(channel) => Ok(channel),
            Err(russh::Error::ChannelOpenFailure(reason)) => {
                Err(format!("the machine opens no channel: {reason:?}"))
            }
            Err(_) => Err(self.reason().await),
        }
    }

    /// Why it ended. Waits for the end where only its effects were seen yet.
    pub(crate) async fn reason(&self) -> String {
        let mut ended = self.ended.clone();
        let told = timeout(Duration::from_secs(1), ended.wait_for(Option::is_some)).await;
        match told {
            Ok(Ok(reason)) => reason.clone(),
            _ => None,
        }
        .unwrap_or_else(|| "the connection was closed".into())
    }

    /// Returns when the connection has ended.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            // An error: the session is gone without a word, which is an end too.
            let _ = ended.wait_for(Option::is_some).await;
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    pub(crate) async fn close(&self) {
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }
}

async fn connect(target: &Target) -> Result<TcpStream, NoLink> {
    let refused = |error: io::Error| {
        let reached = match error.kind() {
            io::ErrorKind::ConnectionRefused => Reached::Refused,
            _ => Reached::Nothing,
        };
        NoLink::Yet(reached, error.to_string().to_lowercase())
    };
    let stream = timeout(TO_CONNECT, TcpStream::connect(target.address))
        .await
        .map_err(|_| NoLink::Yet(Reached::Nothing, "no answer".into()))?
        .map_err(refused)?;
    stream.set_nodelay(true).map_err(refused)?;
    let milliseconds = u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(&stream, milliseconds)
        .map_err(|error| refused(error.into()))?;
    Ok(stream)
}

async fn log_in(
    target: &Target,
    stream: TcpStream,
    client: Client,
    foreign: &OnceLock<HostKey>,
) -> Result<Handle<Client>, NoLink> {
    let config = Arc::new(config(&target.host_key));
    let mut handle = client::connect_stream(config, stream, client).await.map_err(|error| {
        match foreign.get() {
            Some(theirs) => NoLink::Ever(not_ours(target, theirs)),
            None => NoLink::Yet(Reached::Handshake, why(&error)),
        }
    })?;
    let key = PrivateKeyWithHashAlg::new(target.key.private(), None);
    match handle.authenticate_publickey(&target.user, key).await {
        Ok(AuthResult::Success) => Ok(handle),
        Ok(AuthResult::Failure { .. }) => {
            let words = format!("the key of user `{}` was not accepted", target.user);
            Err(NoLink::Yet(Reached::HostKey, words))
        }
        Err(error) => Err(NoLink::Yet(Reached::HostKey, why(&error))),
    }
}

fn not_ours(target: &Target, theirs: &HostKey) -> Error {
    let (address, ours, theirs) =
        (target.address, target.host_key.fingerprint(), theirs.fingerprint());
    Error::new(
        ErrorKind::HostKey,
        format!("`{address}` has host key {theirs}, and not {ours} that was made for it"),
    )
    .help(
        "another machine answers at this address, something in between reads along, or the image ignores the host \
         key in its user data: compare with the machine's console",
    )
}
