//! An archive on its way: written and compressed on threads that may block, sent from one that must not.

use crate::packing::{Compression, Packer, pays};
use crate::{Archive, Error, Ids};
use bytes::Bytes;
use std::io::{self, Write};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

/// Archives up to this size travel among the words of the agent; larger ones have a channel to themselves.
const SMALL: usize = 256 << 10;

/// Written, compressed and handed on at once.
const PIECE: usize = 256 << 10;

/// Pieces between two threads.
const AHEAD: usize = 8;

/// Compressing less than this costs more than it spares.
const WORTH_IT: usize = 4 << 10;

/// An archive of which the beginning is known.
pub(crate) enum Stream {
    /// All of it.
    Small { compression: Compression, bytes: Bytes },
    /// Its first pieces, and others that come as they are made.
    Large {
        compression: Compression,
        head: Vec<Bytes>,
        pieces: Receiver<Bytes>,
        writer: JoinHandle<io::Result<()>>,
    },
}

impl Stream {
    /// Begins to write an archive, compressed by `best` where that pays.
    ///
    /// # Errors
    /// When a small archive could not be written. What becomes of a large one its `writer` returns.
    pub(crate) async fn start(
        archive: &Archive,
        ids: Ids,
        best: Compression,
    ) -> Result<Self, Error> {
        let (tx, mut rx) = channel(AHEAD);
        let archive = archive.clone();
        let writer = tokio::task::spawn_blocking(move || {
            let mut pieces = Pieces { piece: Vec::new(), to: tx };
            archive.write(&mut pieces, ids)?;
            pieces.finish()
        });
        let mut head: Vec<Bytes> = Vec::new();
        let mut length = 0;
        while length <= SMALL {
            let Some(piece) = rx.recv().await else {
                written(writer).await?;
                return small(head.concat(), best).await;
            };
            length += piece.len();
            head.push(piece);
        }
        let compression = sample(head.concat(), best).await?;
        if compression == Compression::None {
            return Ok(Self::Large { compression, head, pieces: rx, writer });
        }
        let (tx, pieces) = channel(AHEAD);
        let compressing = tokio::task::spawn_blocking(move || compress(head, rx, tx, compression));
        let writer = tokio::spawn(async move {
            let compressed = compressing.await.map_err(io::Error::other)?;
            // The reason is the archive's if it has one: the compression only sees its end.
            writer.await.map_err(io::Error::other)??;
            compressed
        });
        Ok(Self::Large { compression, head: Vec::new(), pieces, writer })
    }
}

/// The outcome of writing an archive.
pub(crate) async fn written(writer: JoinHandle<io::Result<()>>) -> Result<(), Error> {
    let outcome = writer.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    outcome.map_err(|error| Error::input("cannot read what is to be copied").caused_by(error))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let outcome = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    outcome.flatten().map_err(|error| Error::environment("cannot compress").caused_by(error))
}

async fn small(bytes: Vec<u8>, best: Compression) -> Result<Stream, Error> {
    if bytes.len() < WORTH_IT {
        return Ok(Stream::Small { compression: Compression::None, bytes: bytes.into() });
    }
    let (compression, bytes) = blocking(move || {
        let packed = Packer::new(best)?.pack(&bytes)?;
        Ok(if pays(packed.len(), bytes.len()) {
            (best, packed)
        } else {
            (Compression::None, bytes)
        })
    })
    .await?;
    Ok(Stream::Small { compression, bytes: bytes.into() })
}

/// What the beginning of a large archive says of the rest.
async fn sample(head: Vec<u8>, best: Compression) -> Result<Compression, Error> {
    blocking(move || {
        let packed = Packer::new(best)?.pack(&head)?;
        Ok(if pays(packed.len(), head.len()) { best } else { Compression::None })
    })
    .await
}

fn compress(
    head: Vec<Bytes>,
    mut rest: Receiver<Bytes>,
    to: Sender<Bytes>,
    how: Compression,
) -> io::Result<()> {
    let mut packer = Packer::new(how)?;
    let mut head = head.into_iter();
    while let Some(piece) = head.next().or_else(|| rest.blocking_recv()) {
        // Pieces that wait mean that the network is slower than we are: then there is time to make them smaller.
        let waiting = AHEAD - to.capacity().min(AHEAD);
        let packed =
            if waiting > AHEAD / 2 { packer.pack(&piece)? } else { packer.wrap(&piece)? };
        to.blocking_send(packed.into()).map_err(gone)?;
    }
    Ok(())
}

fn gone<T>(_: T) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the machine takes no more")
}

/// Gathers what is written into pieces and hands them on.
struct Pieces {
    piece: Vec<u8>,
    to: Sender<Bytes>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.capacity() == 0 {
            // A first piece that is small costs no large buffer.
            self.piece.reserve_exact(if bytes.len() > 1 << 10 { PIECE } else { 4 << 10 });
        }
        let room = PIECE.saturating_sub(self.piece.len());
        let taken = bytes.len().min(room);
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() >= PIECE {
            self.finish()?;
        }
        Ok(taken)
    }

    /// Pieces are handed on when they are full: who writes does not know what a small one costs.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pieces {
    fn finish(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.to.blocking_send(piece.into()).map_err(gone)
    }
}
