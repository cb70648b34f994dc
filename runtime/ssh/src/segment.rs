//! Sends ops and listens to how they go, both at once: as many of a batch as go through one agent.

use crate::agent::{Event, From, To};
use crate::job;
use crate::op::{Directories, Medium};
use crate::packing::Compression;
use crate::stream::{Stream, written};
use crate::{Error, Ids, Op, Owner};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is sent through one agent.
pub(crate) struct Segment<'a> {
    pub(crate) ops: &'a [Op],
    /// The first op.
    pub(crate) first: usize,
    /// Whether the files of the first op are on the machine already.
    pub(crate) staged: bool,
    /// Whether the standard output of commands is wanted by itself.
    pub(crate) alone: bool,
    pub(crate) ids: &'a BTreeMap<Owner, Ids>,
    pub(crate) memory: &'a str,
    pub(crate) name: &'a str,
    pub(crate) best: Compression,
    /// Bytes sent of the op that is being sent.
    pub(crate) sent: &'a AtomicU64,
}

/// What was sent when nothing more could be.
#[derive(Debug)]
pub(crate) enum Sent {
    /// Ops up to this one, exclusively. What follows needs to know more of the machine.
    Ops { end: usize },
    /// Ops up to this one, exclusively: the agent has read all that it can.
    Last { end: usize },
    /// All files of this op, and the agent has read all that it can.
    Files { of: usize },
    /// Ops up to this one, exclusively, which cannot be made.
    Failed { at: usize, error: Error },
    /// The agent takes no more: its answers say why.
    Broken,
}

/// Whether more can be sent to this agent.
enum More {
    Yes,
    No(Sent),
}

impl Segment<'_> {
    pub(crate) async fn send(&self, to: &To) -> Sent {
        for number in self.first..self.ops.len() {
            self.sent.store(0, Ordering::Relaxed);
            let more = match &self.ops[number] {
                Op::Remove { path } => put(to, format!("remove {number}\n{path}\n")).await,
                Op::Unpack(unpack) => {
                    let (who, ids) = match (unpack.owner.fixed(), self.ids.get(&unpack.owner)) {
                        (Some(ids), _) => ("- -".into(), ids),
                        (None, Some(ids)) => (job::owner(&unpack.owner), *ids),
                        (None, None) => return Sent::Ops { end: number },
                    };
                    let directories = match unpack.directories {
                        Directories::Keep => "--no-overwrite-dir",
                        Directories::Replace => "--overwrite-dir",
                    };
                    let tail =
                        format!("{directories}\n{}\n{who} {} {}\n", unpack.into, ids.uid, ids.gid);
                    match Stream::start(&unpack.archive, ids, self.best).await {
                        Ok(stream) => {
                            let end = Sent::Last { end: number + 1 };
                            self.stream(to, "unpack", number, stream, &tail, end).await
                        }
                        Err(error) => More::No(Sent::Failed { at: number, error }),
                    }
                }
                Op::Exec(exec) => {
                    let mut more = More::Yes;
                    if let (Some(files), false) = (&exec.files, self.staged && number == self.first)
                    {
                        let tail = match files.medium {
                            Medium::Memory => "memory\n",
                            Medium::Disk => "disk\n",
                        };
                        let root = Ids { uid: 0, gid: 0 };
                        more = match Stream::start(&files.archive, root, self.best).await {
                            Ok(stream) => {
                                let end = Sent::Files { of: number };
                                self.stream(to, "files", number, stream, tail, end).await
                            }
                            Err(error) => More::No(Sent::Failed { at: number, error }),
                        };
                    }
                    if matches!(more, More::Yes) {
                        let words = job::words(exec, number, self.memory, self.name, self.alone);
                        more = put(to, words).await;
                    }
                    more
                }
            };
            if let More::No(sent) = more {
                return sent;
            }
        }
        Sent::Ops { end: self.ops.len() }
    }

    async fn stream(
        &self,
        to: &To,
        verb: &str,
        number: usize,
        stream: Stream,
        tail: &str,
        end: Sent,
    ) -> More {
        match stream {
            Stream::Small { compression, bytes } => {
                let how = compression.word();
                let mut words =
                    format!("{verb} {number} {} {how} {tail}", bytes.len()).into_bytes();
                words.extend_from_slice(&bytes);
                put(to, words).await
            }
            Stream::Large { compression, head, mut pieces, writer } => {
                let words = format!("{verb} {number} - {} {tail}", compression.word());
                if to.send(words).await.is_err() {
                    return More::No(Sent::Broken);
                }
                let mut head = head.into_iter();
                while let Some(piece) = match head.next() {
                    Some(piece) => Some(piece),
                    None => pieces.recv().await,
                } {
                    let length = piece.len() as u64;
                    if to.send(piece).await.is_err() {
                        return More::No(Sent::Broken);
                    }
                    self.sent.fetch_add(length, Ordering::Relaxed);
                }
                match written(writer).await {
                    Err(error) => More::No(Sent::Failed { at: number, error }),
                    Ok(()) if to.end().await.is_ok() => More::No(end),
                    Ok(()) => More::No(Sent::Broken),
                }
            }
        }
    }
}

async fn put(to: &To, words: impl Into<Bytes>) -> More {
    match to.send(words).await {
        Ok(()) => More::Yes,
        Err(_) => More::No(Sent::Broken),
    }
}

/// Asks the machine what these owners are. Those that it does not have are left out.
///
/// `None`: the agent has ended.
pub(crate) async fn resolve(
    owners: &[Owner],
    to: &To,
    from: &mut From,
) -> Option<BTreeMap<Owner, Ids>> {
    let mut words = String::new();
    for (number, owner) in owners.iter().enumerate() {
        words.push_str(&format!("ids {number} {}\n", job::owner(owner)));
    }
    to.send(words).await.ok()?;
    let mut known = BTreeMap::new();
    for owner in owners {
        let word = loop {
            if let Event::Word { text, .. } = from.next().await? {
                break text;
            }
        };
        let fields: Vec<&str> = word.split(' ').collect();
        if let ["ids", _, uid, gid] = fields[..]
            && let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse())
        {
            known.insert(owner.clone(), Ids { uid, gid });
        }
    }
    Some(known)
}
