use super::super::member::refused;
use super::super::pax::{self, Records};
use super::super::sparse::{comma_separated, pairs};
use super::{BLOCK, Members};
use kiln_engine::Error;
use std::collections::BTreeMap;
use std::io::{self, Read};
use tar::Header;

impl<R: Read> Members<R> {
    /// The map of a member of type `S`, which goes on in blocks of its own before the content.
    pub(super) fn gnu_map(
        &mut self,
        header: &Header,
        name: &[u8],
        position: u64,
    ) -> Result<(u64, Vec<(u64, u64)>), Error> {
        let malformed = || refused(name, position, "has a malformed sparse map");
        let gnu = header.as_gnu().ok_or_else(malformed)?;
        let size = gnu.real_size().map_err(|_| malformed())?;
        let mut parts = Vec::new();
        let mut add = |sparse: &[tar::GnuSparseHeader]| {
            for part in sparse.iter().take_while(|part| !part.is_empty()) {
                parts.push((part.offset().ok()?, part.length().ok()?));
            }
            Some(())
        };
        add(&gnu.sparse).ok_or_else(malformed)?;
        let mut more = gnu.is_extended();
        let mut bytes = 0;
        while more {
            bytes += BLOCK as u64;
            if bytes > self.limits.extension {
                return Err(malformed());
            }
            let mut extended = tar::GnuExtSparseHeader::new();
            *extended.as_mut_bytes() = self.block()?;
            add(extended.sparse()).ok_or_else(malformed)?;
            more = extended.is_extended();
        }
        Ok((size, parts))
    }

    /// The map that PAX records announce; in format 1.0 it stands before the content.
    #[expect(clippy::type_complexity, reason = "a size and a list of parts, named by the function")]
    pub(super) fn pax_map(
        &mut self,
        records: &BTreeMap<Vec<u8>, Vec<u8>>,
        in_order: &Records,
        name: &[u8],
        position: u64,
    ) -> Result<Option<(u64, Vec<(u64, u64)>)>, Error> {
        let malformed = || refused(name, position, "has a malformed sparse map");
        let number = |key: &str| {
            records
                .get(key.as_bytes())
                .map(|text| pax::number(text).ok_or_else(malformed))
                .transpose()
        };
        if let Some(major) = number("GNU.sparse.major")? {
            if major != 1 || number("GNU.sparse.minor")? != Some(0) {
                return Err(refused(name, position, "has a sparse map of an unknown version"));
            }
            let size = number("GNU.sparse.realsize")?.ok_or_else(malformed)?;
            let count = self.line().ok_or_else(malformed)?;
            let mut numbers = Vec::new();
            for _ in 0..count.checked_mul(2).ok_or_else(malformed)? {
                numbers.push(self.line().ok_or_else(malformed)?);
                if numbers.len() as u64 * 2 > self.limits.extension {
                    return Err(malformed());
                }
            }
            // The map fills whole blocks, and its bytes count as content.
            let rest = (self.content + self.padding) % BLOCK as u64;
            if rest > self.content {
                return Err(malformed());
            }
            io::copy(&mut Read::take(&mut *self, rest), &mut io::sink())
                .map_err(|_| malformed())?;
            return Ok(Some((size, pairs(&numbers).ok_or_else(malformed)?)));
        }
        let Some(size) = number("GNU.sparse.size")? else { return Ok(None) };
        if let Some(map) = records.get(&b"GNU.sparse.map"[..]) {
            return Ok(Some((size, comma_separated(map).ok_or_else(malformed)?)));
        }
        let numbers: Option<Vec<u64>> = in_order
            .iter()
            .filter(|(key, _)| key == b"GNU.sparse.offset" || key == b"GNU.sparse.numbytes")
            .map(|(_, value)| pax::number(value))
            .collect();
        Ok(Some((size, pairs(&numbers.ok_or_else(malformed)?).ok_or_else(malformed)?)))
    }

    /// A decimal number and the end of its line, from the content.
    fn line(&mut self) -> Option<u64> {
        let mut text = Vec::new();
        loop {
            let mut byte = [0];
            self.read_exact(&mut byte).ok()?;
            match byte[0] {
                b'\n' => return pax::number(&text),
                digit if text.len() < 20 => text.push(digit),
                _ => return None,
            }
        }
    }
}
