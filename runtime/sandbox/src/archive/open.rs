use kiln_engine::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Memory that an xz stream may ask for; `xz -9` asks for 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;
/// `LZMA_CONCATENATED` of `lzma/container.h`: streams one after the other are one file.
const XZ_CONCATENATED: u32 = 0x08;
/// The logarithm of the window that a zstd stream may ask for: 128 MiB, the most that `zstd` takes unasked.
const ZSTD_WINDOW: u32 = 27;

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Compression {
    /// What these first bytes say; a tar archive has no magic number where it begins.
    fn of(magic: &[u8]) -> Self {
        if magic.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if magic.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
            Self::Xz
        } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else {
            Self::None
        }
    }
}

/// Opens an archive: plain tar, gzip, xz or zstd, told apart by the first bytes.
///
/// # Errors
/// When the file cannot be read.
pub fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    let failed = |error: io::Error| {
        Error::environment(format!("cannot read the archive `{}`", path.display())).caused_by(error)
    };
    let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(failed)?);
    let compression = Compression::of(file.fill_buf().map_err(failed)?);
    decompress(compression, file).map_err(failed)
}

/// The bytes that were compressed. Streams one after the other are read as one.
pub(crate) fn decompress<'a>(
    compression: Compression,
    reader: impl BufRead + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::None => Box::new(reader),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Compression::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, XZ_CONCATENATED)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(reader, stream))
        }
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(decoder)
        }
    })
}
