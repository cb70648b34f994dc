//! A tree's manifest, from what the walk found, what the stat cache knows, and what has to be read.

use super::stat_cache::{self, Known};
use super::walk::{Found, FoundKind, join, walk};
use super::{Entry, EntryKind, Manifest, content};
use crate::{Digest, Error};
use rayon::prelude::*;
use rustix::fd::BorrowedFd;
use std::path::Path;

/// The manifest of the tree at `root`, which errors call `name`; `cache` is where its stat cache lies,
/// `began` a time before any of this.
pub(super) fn read(
    root: BorrowedFd<'_>,
    name: &str,
    cache: &Path,
    began: i64,
) -> Result<Manifest, Error> {
    let (found, bytes) = rayon::join(|| walk(root, name), || stat_cache::load(cache));
    let found = found?;
    let known = stat_cache::decode(&bytes);
    let before = recall(&found, &known, began);
    let sources: Vec<_> = found
        .par_iter()
        .zip(before)
        .map(|(found, before)| source(root, name, found, before))
        .collect();
    let sources: Vec<Source> = sources.into_iter().collect::<Result<_, Error>>()?;
    remember(cache, &found, &sources, &known, began);
    let entries =
        found.into_iter().zip(sources).map(|(found, source)| entry(found, source)).collect();
    Ok(Manifest { entries })
}

/// Where the digest of an entry came from.
enum Source {
    /// It has none: a directory or a link.
    Nowhere,
    /// An earlier run.
    Cache(Digest),
    /// Its content.
    Disk(content::Content),
}

/// For each entry the digest from an earlier run, where its stamp still stands. Both are sorted.
fn recall(found: &[Found], known: &[Known<'_>], began: i64) -> Vec<Option<Digest>> {
    let mut known = known.iter().peekable();
    let mut recalled = Vec::with_capacity(found.len());
    for Found { path, kind } in found {
        while known.next_if(|known| known.path < path.as_str()).is_some() {}
        recalled.push(match (kind, known.peek()) {
            (FoundKind::File { stamp, executable: _ }, Some(known))
                if known.path == path && known.stamp == *stamp && stamp.settled(began) =>
            {
                Some(known.digest)
            }
            _ => None,
        });
    }
    recalled
}

fn source(
    root: BorrowedFd<'_>,
    name: &str,
    found: &Found,
    before: Option<Digest>,
) -> Result<Source, Error> {
    match (&found.kind, before) {
        (FoundKind::Directory | FoundKind::Link { .. }, _) => Ok(Source::Nowhere),
        (FoundKind::File { .. }, Some(digest)) => Ok(Source::Cache(digest)),
        (FoundKind::File { .. }, None) => {
            content::hash(root, Path::new(&found.path), &join(name, &found.path)).map(Source::Disk)
        }
    }
}

/// Writes the cache for the next run, unless it would say what it says already.
fn remember(
    location: &Path,
    found: &[Found],
    sources: &[Source],
    before: &[Known<'_>],
    began: i64,
) {
    let after: Vec<Known<'_>> = found
        .iter()
        .zip(sources)
        .filter_map(|(Found { path, kind }, source)| match (kind, source) {
            (FoundKind::File { stamp, executable: _ }, Source::Cache(digest)) => {
                Some(Known { path, stamp: *stamp, digest: *digest })
            }
            (_, Source::Disk(content)) => content.known(path, began),
            _ => None,
        })
        .collect();
    if after != before {
        // A cache that cannot be written costs time, never correctness.
        let _ = stat_cache::save(location, &after);
    }
}

fn entry(found: Found, source: Source) -> Entry {
    let Found { path, kind } = found;
    let kind = match (kind, source) {
        (FoundKind::File { stamp, executable }, Source::Cache(digest)) => {
            EntryKind::File { digest, size: stamp.size, executable }
        }
        (_, Source::Disk(content::Content { digest, executable, stamp, own_clock: _ })) => {
            EntryKind::File { digest, size: stamp.size, executable }
        }
        (FoundKind::Link { target }, _) => EntryKind::Link { target },
        (FoundKind::Directory | FoundKind::File { .. }, _) => EntryKind::Directory,
    };
    Entry { path, kind }
}
