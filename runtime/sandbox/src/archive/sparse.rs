//! Files with holes, in the four ways in which GNU tar writes them (its manual, "Storing Sparse Files").

use super::pax::number;

/// Where the stored parts of a file with holes lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SparseMap {
    /// The size of the file, holes included.
    pub size: u64,
    /// Offset and length of each stored part, ascending.
    pub parts: Vec<(u64, u64)>,
}

impl SparseMap {
    /// Checks a map against the number of bytes that the archive stores for it.
    ///
    /// # Errors
    /// What is wrong, in words that continue "member `x` …".
    pub(crate) fn new(size: u64, parts: Vec<(u64, u64)>, stored: u64) -> Result<Self, String> {
        let mut end = 0;
        let mut total = 0_u64;
        for (offset, length) in &parts {
            let next = offset.checked_add(*length);
            let Some(next) = next.filter(|next| *offset >= end && *next <= size) else {
                return Err("has a sparse map whose parts overlap or leave the file".to_owned());
            };
            end = next;
            total += length;
        }
        if total != stored || i64::try_from(size).is_err() {
            return Err("has a sparse map that does not match its size".to_owned());
        }
        Ok(Self { size, parts })
    }
}

/// The map of PAX format 0.1: `offset,length,offset,length`.
pub(crate) fn comma_separated(text: &[u8]) -> Option<Vec<(u64, u64)>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    pairs(&text.split(|byte| *byte == b',').map(number).collect::<Option<Vec<_>>>()?)
}

/// The numbers taken two by two.
pub(crate) fn pairs(numbers: &[u64]) -> Option<Vec<(u64, u64)>> {
    let (pairs, []) = numbers.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[offset, length]| (*offset, *length)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_that_lie_are_refused() {
        assert!(SparseMap::new(10, vec![(0, 2), (4, 2)], 4).is_ok());
        assert!(SparseMap::new(10, vec![(4, 2), (0, 2)], 4).is_err(), "descending");
        assert!(SparseMap::new(10, vec![(0, 4), (2, 2)], 6).is_err(), "overlapping");
        assert!(SparseMap::new(5, vec![(4, 2)], 2).is_err(), "beyond the end");
        assert!(SparseMap::new(10, vec![(0, 2)], 3).is_err(), "fewer bytes than stored");
        assert!(SparseMap::new(u64::MAX, vec![(u64::MAX, 2)], 2).is_err(), "overflowing");
    }

    #[test]
    fn odd_lists_are_no_maps() {
        assert_eq!(comma_separated(b"0,1,5,2"), Some(vec![(0, 1), (5, 2)]));
        assert_eq!(comma_separated(b""), Some(vec![]));
        assert_eq!(comma_separated(b"0,1,5"), None);
        assert_eq!(comma_separated(b"0,-1"), None);
    }
}
