use crate::Fault;
use std::time::Duration;

/// A duration: a whole number and `ms`, `s`, `m` or `h`, as in `"30s"`.
///
/// # Errors
/// When the number or the unit is missing or unknown, or the value is zero or does not fit.
pub fn duration(text: &str) -> Result<Duration, Fault> {
    let fault = || {
        Fault::new(format!("malformed duration `{text}`"))
            .help("write a whole number above zero and `ms`, `s`, `m` or `h`: `\"30s\"`")
    };
    let (number, unit) = split(text).ok_or_else(fault)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(fault()),
    };
    match number.checked_mul(millis) {
        Some(total) if total > 0 => Ok(Duration::from_millis(total)),
        _ => Err(fault()),
    }
}

/// A [`duration`] that may be none: `"0s"`.
///
/// # Errors
/// As of [`duration`], but for zero.
pub fn duration_or_none(text: &str) -> Result<Duration, Fault> {
    match split(text) {
        Some((0, "ms" | "s" | "m" | "h")) => Ok(Duration::ZERO),
        _ => duration(text),
    }
}

/// A size in bytes: a whole number and `B`, `KiB`, `MiB`, `GiB` or `kB`, `MB`, `GB`, as in `"512MiB"`.
///
/// # Errors
/// When the number or the unit is missing or unknown, or the value is zero or does not fit.
pub fn bytes(text: &str) -> Result<u64, Fault> {
    let fault = || {
        Fault::new(format!("malformed size `{text}`"))
            .help("write a whole number above zero and `KiB`, `MiB`, `GiB`, `kB`, `MB` or `GB`: `\"512MiB\"`")
    };
    let (number, unit) = split(text).ok_or_else(fault)?;
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(fault()),
    };
    match number.checked_mul(factor) {
        Some(total) if total > 0 => Ok(total),
        _ => Err(fault()),
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// A digest as `sha256:` or `blake3:` and 64 lowercase hexadecimal digits.
///
/// # Errors
/// When the algorithm is another one, or the digits are not 64 lowercase hexadecimal ones.
pub fn digest(text: &str) -> Result<(), Fault> {
    let hex = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("blake3:"));
    let well_formed = hex.is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    });
    if well_formed {
        return Ok(());
    }
    Err(Fault::new(format!("malformed digest `{text}`"))
        .help("write `sha256:` or `blake3:` and 64 lowercase hexadecimal digits"))
}

/// A TCP port, `1..=65535`.
///
/// # Errors
/// When it is zero or too large.
pub fn port(number: u64) -> Result<u16, Fault> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(Fault::new(format!("port `{number}` is out of range, expected 1 to 65535"))),
    }
}

/// An `http://` or `https://` URL with a host and no white space.
///
/// # Errors
/// When the scheme is another one, the host is missing, or a character is not allowed.
pub fn url(text: &str) -> Result<(), Fault> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let well_formed = rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty()
            && !host.starts_with(':')
            && rest.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\'))
    });
    if well_formed {
        return Ok(());
    }
    Err(Fault::new(format!("malformed URL `{text}`"))
        .help("write `http://` or `https://`, a host and a path: `\"http://localhost/healthz\"`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_judged() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration_or_none("0s"), Ok(Duration::ZERO));
        assert!(duration("0s").is_err() && duration_or_none("0").is_err());
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        for bad in
            ["", "s", "30", "0s", "-1s", "1.5h", "99999999999999999999h", "18446744073709551615h"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "512", "512mb", "0GiB", "18446744073709551615GiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert!(digest(&format!("sha256:{}", "a".repeat(64))).is_ok());
        assert!(digest("md5:abc").is_err());
        assert!(port(0).is_err() && port(65536).is_err() && port(443) == Ok(443));
        assert!(url("http://localhost:8080/x?y=1").is_ok());
        for bad in ["localhost", "ftp://x/", "http://", "http:///x", "http://a b"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
