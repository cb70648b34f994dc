use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use rayon::prelude::*;
use std::io::{self, Write};

/// Bytes that are compressed at a time. Each starts with the end of the one before as its dictionary, so
/// that cutting costs a fraction of a per cent.
const BLOCK: usize = 1 << 20;
/// Blocks that are compressed side by side. It does not depend on the machine; the output would not
/// either.
const BATCH: usize = 16;
/// As far as deflate looks back.
const WINDOW: usize = 32 << 10;

/// Compresses on all processors into one plain gzip member, whose bytes depend on the content and the
/// level only (RFC 1952; blocks are joined at byte boundaries as `pigz` does it).
pub(super) struct Gzip<W> {
    to: W,
    level: u32,
    /// The end of what was compressed, then what is to be.
    pending: Vec<u8>,
    /// How much of `pending` is compressed already.
    done: usize,
    crc: Crc,
    /// Bytes before compression, modulo 2^32 as the format has it.
    size: u32,
}

impl<W: Write> Gzip<W> {
    /// Begins a gzip file: no name, no time, no system.
    pub(super) fn new(mut to: W, level: u32) -> io::Result<Self> {
        to.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])?;
        let pending = Vec::with_capacity(WINDOW + BATCH * BLOCK);
        Ok(Self { to, level, pending, done: 0, crc: Crc::new(), size: 0 })
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.compress(true)?;
        self.to.write_all(&self.crc.sum().to_le_bytes())?;
        self.to.write_all(&self.size.to_le_bytes())?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn compress(&mut self, last: bool) -> io::Result<()> {
        let (pending, done, level) = (&self.pending, self.done, self.level);
        let mut starts: Vec<usize> = (done..pending.len()).step_by(BLOCK).collect();
        if starts.is_empty() && last {
            starts.push(done);
        }
        let blocks: Vec<(Vec<u8>, Crc)> = starts
            .par_iter()
            .map(|start| {
                let end = (start + BLOCK).min(pending.len());
                let dictionary = &pending[start.saturating_sub(WINDOW)..*start];
                let is_last = last && end == pending.len();
                let mut crc = Crc::new();
                crc.update(&pending[*start..end]);
                Ok((deflate(&pending[*start..end], dictionary, level, is_last)?, crc))
            })
            .collect::<io::Result<_>>()?;
        for (bytes, crc) in blocks {
            self.to.write_all(&bytes)?;
            self.crc.combine(&crc);
        }
        // The format counts modulo 2^32.
        self.size = self.size.wrapping_add((self.pending.len() - done) as u32);
        let kept = self.pending.len().min(WINDOW);
        self.pending.drain(..self.pending.len() - kept);
        self.done = kept;
        Ok(())
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.done + BATCH * BLOCK - self.pending.len();
        let taken = bytes.len().min(room);
        self.pending.extend_from_slice(&bytes[..taken]);
        if taken == room {
            self.compress(false)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Cutting here would make the output depend on when it is asked for.
        Ok(())
    }
}

fn deflate(content: &[u8], dictionary: &[u8], level: u32, last: bool) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(Compression::new(level), false);
    if !dictionary.is_empty() {
        compress.set_dictionary(dictionary)?;
    }
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut compressed = Vec::with_capacity(content.len() / 2 + 1024);
    loop {
        let taken = usize::try_from(compress.total_in()).map_err(io::Error::other)?;
        let status = compress.compress_vec(&content[taken..], &mut compressed, flush)?;
        let is_all_taken = compress.total_in() == content.len() as u64;
        let has_room = compressed.len() < compressed.capacity();
        if matches!(status, Status::StreamEnd) || (!last && is_all_taken && has_room) {
            return Ok(compressed);
        }
        compressed.reserve(content.len() / 4 + 1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    fn gzip(content: &[u8], step: usize) -> Vec<u8> {
        let mut gzip = Gzip::new(Vec::new(), 6).unwrap();
        for part in content.chunks(step) {
            gzip.write_all(part).unwrap();
        }
        gzip.finish().unwrap()
    }

    fn noise(length: usize, repeats: usize) -> Vec<u8> {
        let mut state = 1_u32;
        (0..length)
            .map(|at| {
                if at % repeats == 0 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                }
                (state >> 24) as u8
            })
            .collect()
    }

    fn assert_round_trip(content: &[u8], compressed: &[u8]) {
        let mut read = Vec::new();
        // One member: `GzDecoder` would stop after the first.
        let mut rest = compressed;
        flate2::bufread::GzDecoder::new(&mut rest).read_to_end(&mut read).unwrap();
        assert!(read == content && rest.is_empty());
    }

    #[test]
    fn what_was_compressed_comes_back_around_every_boundary() {
        for length in
            [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, BATCH * BLOCK, BATCH * BLOCK + 1, 17 * BLOCK]
        {
            for repeats in [1, 7] {
                let content = noise(length, repeats);
                assert_round_trip(&content, &gzip(&content, 1 << 18));
            }
        }
    }

    #[test]
    fn the_output_does_not_depend_on_how_it_is_written_or_on_how_many_threads() {
        let content = noise(3 * BLOCK + 17, 5);
        let whole = gzip(&content, content.len());
        assert!(whole == gzip(&content, 1000));
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert!(whole == alone.install(|| gzip(&content, 4096)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn small_contents_come_back(content in prop::collection::vec(any::<u8>(), 0..5000)) {
            assert_round_trip(&content, &gzip(&content, 700));
        }
    }
}
