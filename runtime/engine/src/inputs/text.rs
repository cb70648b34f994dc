//! Text that the engine itself reads: templates and scripts.

use super::content::{changed, open};
use super::resolve::{denied, unreadable, unsupported};
use super::stamp::{Stamp, special};
use crate::{Digest, Error};
use rustix::fs::{CWD, FileType, fstat, stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Of a template or script: bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// The text at `path`, which errors call `name`, and the digest of its bytes.
pub(super) fn read(path: &Path, name: &str) -> Result<(String, Digest), Error> {
    let failed = |errno| unreadable(name, errno);
    // Looked at before it is opened: opening a device may already do something.
    match FileType::from_raw_mode(stat(path).map_err(|errno| denied(name, errno))?.st_mode) {
        FileType::Directory => {
            return Err(Error::input(format!("`{name}` is a directory"))
                .help("name a file: templates and scripts are text"));
        }
        kind => {
            if let Some(what) = special(kind) {
                return Err(unsupported(name, what));
            }
        }
    }
    let mut file = File::from(open(CWD, path).map_err(|errno| denied(name, errno))?);
    let before = Stamp::of(&fstat(&file).map_err(failed)?);
    let mut bytes = Vec::new();
    (&mut file)
        .take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::input(format!("`{name}` is larger than 16 MiB"))
            .help("use `copy` for what is no template and no script"));
    }
    if Stamp::of(&fstat(&file).map_err(failed)?) != before {
        return Err(changed(name));
    }
    let digest = Digest::of(&bytes);
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, digest)),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(Error::input(format!("`{name}` is not UTF-8 text: line {line}"))
                .help("convert it to UTF-8, or use `copy` for what is no text"))
        }
    }
}
