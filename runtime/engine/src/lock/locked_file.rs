use crate::Error;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One file from outside, by its content. As text: `sha256:HEX SIZE VERSION URL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LockedFile {
    /// SHA-256 as 64 lowercase hexadecimal digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// For people: the version of the package.
    pub version: String,
    /// Where it was found.
    pub url: String,
}

impl LockedFile {
    /// The last component of the URL, percent-decoded: the name under which a command finds it. Never
    /// empty, never with a `/`, never `.` or `..`.
    #[must_use]
    pub fn name(&self) -> String {
        let last = self.url.rsplit('/').next().unwrap_or(&self.url);
        percent_decode_str(last).decode_utf8_lossy().into_owned()
    }
}

impl FromStr for LockedFile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = |why: &str| Error::input(format!("malformed line `{text}`: {why}"));
        let fields: Vec<&str> = text.split(' ').collect();
        let [digest, size, version, url] = fields[..] else {
            return Err(malformed("expected `sha256:HEX SIZE VERSION URL`"));
        };
        kiln::rules::digest(digest).map_err(|fault| malformed(&fault.message))?;
        let Some(sha256) = digest.strip_prefix("sha256:") else {
            return Err(malformed("expected a SHA-256"));
        };
        let size = size.parse().map_err(|_| malformed("the size is not a number"))?;
        kiln::rules::url(url).map_err(|fault| malformed(&fault.message))?;
        let file = Self {
            sha256: sha256.to_owned(),
            size,
            version: version.to_owned(),
            url: url.to_owned(),
        };
        let name = file.name();
        if version.is_empty()
            || matches!(name.as_str(), "" | "." | "..")
            || name.contains(['/', '\0'])
        {
            return Err(malformed("no version, or no file name at the end of the URL"));
        }
        Ok(file)
    }
}

impl TryFrom<String> for LockedFile {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<LockedFile> for String {
    fn from(file: LockedFile) -> Self {
        file.to_string()
    }
}

impl fmt::Display for LockedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{} {} {} {}", self.sha256, self.size, self.version, self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<LockedFile, Error> {
        format!("sha256:{} 12 1.0 {url}", "a".repeat(64)).parse()
    }

    #[test]
    fn a_name_is_decoded_and_stays_a_name() {
        let file = read("http://a.test/pool/libstdc%2b%2b6_1.0%7edeb_amd64.deb").unwrap();
        assert_eq!(file.name(), "libstdc++6_1.0~deb_amd64.deb");
        for bad in [
            "http://a.test/",
            "http://a.test/..",
            "http://a.test/%2e%2e",
            "http://a.test/a%2fb",
            "x",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn foreign_lines_are_refused() {
        let good = read("http://a.test/x.deb").unwrap().to_string();
        assert!(good.parse::<LockedFile>().is_ok());
        for bad in ["", "x", &good[1..], &good.replace(" 12 ", " -1 "), &format!("{good} more")] {
            assert!(bad.parse::<LockedFile>().is_err(), "{bad}");
        }
    }
}
