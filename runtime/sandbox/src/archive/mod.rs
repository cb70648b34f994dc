//! Tar archives: foreign ones unpacked below a directory, our own made of a directory.
//!
//! Foreign bytes are hostile. What an archive may do is write below the directory that it is unpacked
//! into, and nothing else:
//!
//! - `./x` and `x` are the same name; an absolute name and a name with `..` are refused;
//! - a parent that is a symbolic link is followed as long as it stays below the root when it is read
//!   as written; one with an absolute target, or one that climbs out, is refused. No creation ever
//!   resolves a link: parents are opened with `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`, and the
//!   last component is created, never opened;
//! - a hard link's target is held to the same rules;
//! - of members with one name the last wins; a directory over a directory keeps what is in it;
//! - attributes of the overlay file system (`trusted.overlay.*`) and its whiteouts (a character device
//!   0:0) are refused: an archive says `.wh.` where it means them;
//! - the number of members, the size of their headers and the length of names are bounded; an archive
//!   that ends before its end mark is refused. How much it unpacks to is not bounded.
//!
//! Modification times are not kept, neither way: digests of layers do not cover them, so whatever is made
//! of a layer must not depend on them. Every file has the time [`EPOCH`].

mod entry_path;
mod limits;
mod member;
mod metadata;
mod open;
mod pack;
mod pax;
mod read;
mod root;
mod sparse;
mod stack;
mod unpack;
mod write;

pub(crate) use metadata::Metadata;
pub use open::open;
pub(crate) use open::{Compression, decompress};
pub(crate) use pack::{Expected, pack};
pub(crate) use stack::{Seen, Stack};
pub(crate) use unpack::unpack_over;
pub use unpack::{Whiteouts, unpack};
pub(crate) use write::{Entry, TarWriter};

/// The modification time of every file in a layer and in an archive: 2020-01-01, in seconds since 1970.
pub const EPOCH: i64 = 1_577_836_800;
