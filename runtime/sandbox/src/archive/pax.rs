//! PAX extended headers: records `LENGTH KEY=VALUE\n` (POSIX.1-2017, `pax`, "Extended Header").

/// The prefix of the key of an extended attribute.
pub(crate) const XATTR: &[u8] = b"SCHILY.xattr.";

/// Keys and values, in the order of the archive. A value may hold any byte.
pub(crate) type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// The records of one header block, in order.
///
/// # Errors
/// What is wrong with the first record that is not well-formed.
pub(crate) fn parse(mut bytes: &[u8]) -> Result<Records, String> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let malformed = || "a malformed PAX record".to_owned();
        let space = bytes.iter().take(20).position(|byte| *byte == b' ').ok_or_else(malformed)?;
        let length = number(&bytes[..space]).ok_or_else(malformed)?;
        let length = usize::try_from(length).map_err(|_| malformed())?;
        if length <= space + 1 || length > bytes.len() {
            return Err(malformed());
        }
        let (record, rest) = bytes.split_at(length);
        let record = record[space + 1..].strip_suffix(b"\n").ok_or_else(malformed)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(malformed)?;
        if equals == 0 {
            return Err(malformed());
        }
        records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
        bytes = rest;
    }
    Ok(records)
}

/// Appends one record.
pub(crate) fn append(to: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    // The length counts its own digits.
    let mut length = rest + digits(rest);
    if rest + digits(length) != length {
        length = rest + digits(length);
    }
    to.extend_from_slice(length.to_string().as_bytes());
    to.push(b' ');
    to.extend_from_slice(key);
    to.push(b'=');
    to.extend_from_slice(value);
    to.push(b'\n');
}

/// A decimal number: digits only, so that nothing is read in two ways.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn digits(number: usize) -> usize {
    number.to_string().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_appended_is_parsed(
            records in prop::collection::vec(("[a-zA-Z.]{1,99}", prop::collection::vec(any::<u8>(), 0..1200)), 0..4)
        ) {
            let mut bytes = Vec::new();
            for (key, value) in &records {
                append(&mut bytes, key.as_bytes(), value);
            }
            let expected: Vec<_> =
                records.into_iter().map(|(key, value)| (key.into_bytes(), value)).collect();
            prop_assert_eq!(parse(&bytes).unwrap(), expected);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn a_length_that_does_not_fit_is_refused() {
        for bytes in [
            "9 a=b\n",
            "6 a=bc",
            "0 a=b\n",
            "+6 a=b\n",
            "6 ab\n",
            "5 =b\n",
            "99999999999999999999 a=b\n",
        ] {
            assert!(parse(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
        assert_eq!(parse(b"6 a=b\n").unwrap(), [(b"a".to_vec(), b"b".to_vec())]);
    }
}
