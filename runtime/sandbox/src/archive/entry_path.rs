/// A name in an archive, checked: relative, without `.`, `..`, empty components or NUL bytes. The
/// empty path is the root itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryPath(Vec<u8>);

impl EntryPath {
    /// Checks a name as an archive has it.
    ///
    /// # Errors
    /// The rule that it breaks, in words that continue "member `x` …".
    pub(crate) fn parse(raw: &[u8], longest: usize) -> Result<Self, String> {
        if raw.len() > longest {
            return Err(format!("has a name of {} bytes, more than {longest}", raw.len()));
        }
        if raw.contains(&0) {
            return Err("has a NUL byte in its name".to_owned());
        }
        if raw.starts_with(b"/") {
            return Err("has an absolute name".to_owned());
        }
        let mut path = Vec::with_capacity(raw.len());
        for component in raw.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => return Err("has `..` in its name".to_owned()),
                name => {
                    if !path.is_empty() {
                        path.push(b'/');
                    }
                    path.extend_from_slice(name);
                }
            }
        }
        Ok(Self(path))
    }

    /// `/` between components, none at either end.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the root itself.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The directory it is in, and its name there; `None` for the root.
    pub(crate) fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => (b"", &self.0),
        })
    }

    /// Its names, outermost first.
    pub(crate) fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }
}

/// `name` in the directory `parent`.
pub(crate) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(parent.len() + 1 + name.len());
    path.extend_from_slice(parent);
    if !parent.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// For messages: what is not UTF-8 or not printable is escaped, and the middle of a long name is left out.
pub(crate) fn shown(path: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(path)
        .chars()
        .flat_map(|char| {
            let escaped = if char.is_control() { Some(char.escape_default()) } else { None };
            let plain = if char.is_control() { None } else { Some(char) };
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    if text.chars().count() <= 200 {
        return text;
    }
    let head: String = text.chars().take(100).collect();
    let tail: String = text.chars().skip(text.chars().count() - 60).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_double_slashes_do_not_make_another_name() {
        for raw in ["a/b", "./a/b", "a//b/", "././a/./b"] {
            assert_eq!(EntryPath::parse(raw.as_bytes(), 100).unwrap().as_bytes(), b"a/b", "{raw}");
        }
        assert!(EntryPath::parse(b"./", 100).unwrap().is_root());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for raw in ["/a", "..", "a/../b", "a/..", "a\0b", "aaaaaaaaaaa"] {
            assert!(EntryPath::parse(raw.as_bytes(), 10).is_err(), "{raw}");
        }
    }

    #[test]
    fn messages_hold_no_control_characters() {
        assert_eq!(shown(b"a\x1b[2J\n"), "a\\u{1b}[2J\\n");
    }
}
