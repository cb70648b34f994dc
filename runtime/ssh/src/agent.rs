//! The small program on the machine that does what it is told: how it is started, told, and listened to.

use crate::connect::{CloudInit, Log};
use crate::frames::{Frame, Frames};
use crate::lines::Lines;
use crate::link::Link;
use crate::{Error, quote};
use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

const PROGRAM: &str = include_str!("agent.sh");

/// What a login shell is given: short, the same for every shell there is, and silent about what follows.
const START: &str = concat!(
    "env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LANG=C.UTF-8 ",
    r#"sh -c 'IFS= read -r n && eval "$(dd bs=$n count=1 iflag=fullblock 2>/dev/null)"'"#,
);

/// Asks for the end of the machine's first boot.
pub(crate) const CLOUD_INIT: &str = "cloud-init\n";

/// Where agents of one machine meet: the directories that are theirs, and how they become root.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    /// A name that nobody can guess.
    pub(crate) name: String,
    /// The directory in memory, once an agent has made it.
    pub(crate) memory: Option<String>,
    /// Whether whoever logs in is root.
    pub(crate) root: bool,
}

impl Seat {
    pub(crate) fn new(user: &str) -> Self {
        Self { name: format!("kiln-{}", nonce()), memory: None, root: user == "root" }
    }
}

/// What a machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Another at each boot.
    pub(crate) boot: String,
    /// Whether it has `zstd`.
    pub(crate) zstd: bool,
    /// The agents' directory in memory.
    pub(crate) memory: String,
}

/// Why there is no agent.
pub(crate) enum Trouble {
    /// It ended, or the connection did.
    Lost(String),
    /// It said something that cannot be worked with.
    Wrong(Error),
}

/// What came from an agent.
#[derive(Debug)]
pub(crate) enum Event {
    /// A command printed this on its standard output, or on both where they are one.
    Printed(Vec<u8>),
    /// A command that has its standard output to itself printed this on its standard error.
    Complained(Bytes),
    /// A word of the agent's; `unended` as in [`Frame::Word`].
    Word { text: String, unended: bool },
}

/// A running agent.
pub(crate) struct Agent {
    pub(crate) to: To,
    pub(crate) from: From,
}

/// The way to an agent. Cloned to write while its answers are read.
#[derive(Clone)]
pub(crate) struct To(Arc<ChannelWriteHalf<Msg>>);

/// The way from an agent.
pub(crate) struct From {
    read: ChannelReadHalf,
    frames: Frames,
    queue: VecDeque<Event>,
}

impl Agent {
    /// Starts one as root, and tells it these words at once. Its own first word is what the machine says of itself.
    pub(crate) async fn open(
        link: &Link,
        seat: &Seat,
        words: &str,
    ) -> Result<(Self, Facts), Trouble> {
        let channel = link.channel().await.map_err(Trouble::Lost)?;
        let (read, write) = channel.split();
        let nonce = nonce();
        let from = From { read, frames: Frames::new(&nonce), queue: VecDeque::new() };
        let mut agent = Self { to: To(Arc::new(write)), from };
        let memory = seat.memory.as_deref().unwrap_or("-");
        let program =
            format!("nonce={nonce} name={} mem={}\n{PROGRAM}", seat.name, quote::word(memory));
        let start =
            if seat.root { format!("exec {START}") } else { format!("exec sudo -n {START}") };
        let sent = agent.to.0.exec(false, start).await.is_ok()
            && agent.to.send(format!("{}\n{program}{words}", program.len())).await.is_ok();
        if !sent {
            return Err(Trouble::Lost(link.reason().await));
        }
        let mut said = Lines::default();
        loop {
            match agent.from.next().await {
                Some(Event::Word { text, .. }) => {
                    let facts = facts(&text).map_err(Trouble::Wrong)?;
                    return Ok((agent, facts));
                }
                Some(Event::Printed(bytes)) => said.push(&bytes, &mut |_| ()),
                Some(Event::Complained(bytes)) => said.push(&bytes, &mut |_| ()),
                None if link.is_closed() => return Err(Trouble::Lost(link.reason().await)),
                None => {
                    said.flush(&mut |_| ());
                    let said = said.take_last().join("; ");
                    let said: String = said.chars().take(500).collect();
                    return Err(Trouble::Lost(format!(
                        "no command as root: {}",
                        said.escape_debug()
                    )));
                }
            }
        }
    }

    /// After [`CLOUD_INIT`]: waits for the end of the machine's first boot. The error says why the connection ended.
    pub(crate) async fn cloud_init(
        &mut self,
        link: &Link,
        log: Log<'_>,
    ) -> Result<CloudInit, String> {
        let mut said = Lines::default();
        while let Some(event) = self.from.next().await {
            match event {
                Event::Printed(bytes) => said.push(&bytes, &mut |_| ()),
                Event::Complained(_) => {}
                Event::Word { text, .. } => match text.strip_prefix("cloud-init ") {
                    None => log("waiting for the end of `cloud-init`"),
                    Some("absent") => return Ok(CloudInit::Absent),
                    Some("0") => return Ok(CloudInit::Done),
                    Some(status) => {
                        said.flush(&mut |_| ());
                        let status = status.trim().parse().unwrap_or(1);
                        return Ok(CloudInit::Failed { status, log: said.take_last() });
                    }
                },
            }
        }
        Err(link.reason().await)
    }
}

impl Drop for Agent {
    /// Ends the channel: an agent that waits for more would wait for ever, and a machine allows few at a time.
    fn drop(&mut self) {
        let to = self.to.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { to.0.close().await });
        }
    }
}

impl To {
    /// Waits while the machine takes no more. The error means that it never will.
    pub(crate) async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), russh::Error> {
        self.0.data_bytes(bytes).await
    }

    /// Nothing more follows.
    pub(crate) async fn end(&self) -> Result<(), russh::Error> {
        self.0.eof().await
    }
}

impl From {
    /// The next event; `None` when the agent has ended or the connection has.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            match self.read.wait().await? {
                ChannelMsg::Data { data } => {
                    let queue = &mut self.queue;
                    self.frames.push(&data, &mut |frame| {
                        queue.push_back(match frame {
                            Frame::Printed(bytes) => Event::Printed(bytes),
                            Frame::Word { text, unended } => Event::Word { text, unended },
                        });
                    });
                }
                ChannelMsg::ExtendedData { data, .. } => return Some(Event::Complained(data)),
                // The end of output may overtake nothing: what was printed came before it.
                ChannelMsg::Close => return None,
                _ => {}
            }
        }
    }
}

/// 128 bits that a command on the machine cannot guess.
fn nonce() -> String {
    let bytes: [u8; 16] = rand::random();
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn facts(word: &str) -> Result<Facts, Error> {
    let words: Vec<&str> = word.split(' ').collect();
    let ["hello", uid, boot, zstd, memory] = words[..] else {
        return Err(
            Error::environment("the machine does not say what it is").help("look at its console")
        );
    };
    if uid != "0" {
        return Err(Error::environment("commands on the machine do not run as root")
            .help("log in as `root`, or as a user who may run `sudo -n`"));
    }
    if memory == "-" {
        return Err(Error::environment("the machine has no directory for temporary files")
            .help("make `/dev/shm`, `/run` or `/tmp` writable there, without `noexec`"));
    }
    Ok(Facts { boot: boot.into(), zstd: zstd == "yes", memory: memory.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_says_of_itself_is_read_or_refused() {
        let good = facts("hello 0 b-1 yes /dev/shm/kiln-x").unwrap();
        let memory = "/dev/shm/kiln-x".into();
        assert_eq!(good, Facts { boot: "b-1".into(), zstd: true, memory });
        for bad in ["", "hello", "hello 1000 b yes /x", "hello 0 b yes -", "bye 0 b yes /x"] {
            assert!(facts(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_never_the_same() {
        assert_eq!(nonce().len(), 32);
        assert_ne!(nonce(), nonce());
    }
}
