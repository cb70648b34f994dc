//! An archive on its way: written and compressed on threads that may block, sent from one that must not.

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

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Zstd,
    Gzip,
}

impl Compression {
    /// What the machine has.
    pub(crate) fn for_machine(zstd: bool) -> Self {
        if zstd { Self::Zstd } else { Self::Gzip }
    }

    /// In the agent's words.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

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
        let packed = pack(&bytes, best)?;
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
        let packed = pack(&head, best)?;
        Ok(if pays(packed.len(), head.len()) { best } else { Compression::None })
    })
    .await
}

fn pays(packed: usize, raw: usize) -> bool {
    packed < raw - raw / 10
}

fn pack(bytes: &[u8], how: Compression) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    match how {
        Compression::None => packed.extend_from_slice(bytes),
        Compression::Zstd => zstd::stream::copy_encode(bytes, &mut packed, 1)?,
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
            encoder.write_all(bytes)?;
            packed = encoder.finish()?;
        }
    }
    Ok(packed)
}

fn compress(
    head: Vec<Bytes>,
    mut rest: Receiver<Bytes>,
    to: Sender<Bytes>,
    how: Compression,
) -> io::Result<()> {
    let pieces = Pieces { piece: Vec::new(), to };
    let mut head = head.into_iter();
    let mut next = || head.next().or_else(|| rest.blocking_recv());
    let mut pieces = match how {
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(pieces, flate2::Compression::fast());
            while let Some(piece) = next() {
                encoder.write_all(&piece)?;
            }
            encoder.finish()?
        }
        Compression::None | Compression::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(pieces, 1)?;
            while let Some(piece) = next() {
                encoder.write_all(&piece)?;
            }
            encoder.finish()?
        }
    };
    pieces.finish()
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
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the machine takes no more");
        self.to.blocking_send(piece.into()).map_err(gone)
    }
}
