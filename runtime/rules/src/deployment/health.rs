use crate::{Fault, duration_or_none};
use std::time::Duration;

/// The time between two health checks unless told.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

/// The time that a health check may take unless told: 5 s, or about half of a shorter interval.
#[must_use]
pub fn default_timeout(interval: Duration) -> Duration {
    Duration::from_secs((interval.as_secs() / 2).clamp(2, 5))
}

/// The time between two health checks, in whole seconds: 5 s to 5 m.
///
/// # Errors
/// When it is no such duration.
pub fn health_interval(text: &str) -> Result<Duration, Fault> {
    seconds("interval", text, (5, 300))
}

/// The time that a health check may take, in whole seconds: 2 s to 2 m.
///
/// # Errors
/// When it is no such duration.
pub fn health_timeout(text: &str) -> Result<Duration, Fault> {
    seconds("timeout", text, (2, 120))
}

/// Whether a health check is over before the next one begins.
///
/// # Errors
/// When it may take as long as the time between two, or longer.
pub fn shorter(timeout: Duration, interval: Duration) -> Result<(), Fault> {
    if timeout < interval {
        return Ok(());
    }
    Err(Fault::new(format!(
        "`timeout` of {}s is not shorter than the `interval` of {}s",
        timeout.as_secs(),
        interval.as_secs()
    ))
    .help("a check is over before the next one begins: shorten `timeout` or lengthen `interval`"))
}

/// How many checks in a row tell, 2 to 10. `key` is what the recipe calls it.
///
/// # Errors
/// When it is out of range.
pub fn health_count(key: &str, count: u64) -> Result<(), Fault> {
    if (2..=10).contains(&count) {
        return Ok(());
    }
    Err(Fault::new(format!("`{key}` of {count} is out of range, expected 2 to 10 checks in a row")))
}

/// The status of an answer that passes, 200 to 499.
///
/// # Errors
/// When it is out of range.
pub fn health_status(status: u64) -> Result<(), Fault> {
    if (200..=499).contains(&status) {
        return Ok(());
    }
    Err(Fault::new(format!("status `{status}` is out of range, expected 200 to 499")))
}

/// The path of a request: `/healthz`, at most 1024 characters, with a query where there is one.
///
/// # Errors
/// When it is not absolute, or has a character that must be escaped.
pub fn request_path(text: &str) -> Result<(), Fault> {
    if !text.starts_with('/') {
        let alone = "write the path alone: `\"/healthz\"`".to_owned();
        let help = if text.contains("://") { alone } else { format!("write `/{text}`") };
        return Err(Fault::new(format!("path `{text}` does not start with `/`")).help(help));
    }
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '#');
    if text.len() <= 1024 && text.chars().all(plain) {
        return Ok(());
    }
    Err(Fault::new(format!("malformed path `{text}`"))
        .help("write at most 1024 characters of ASCII, others as `%` and two hexadecimal digits"))
}

/// Whole seconds within bounds.
pub(super) fn seconds(key: &str, text: &str, (least, most): (u64, u64)) -> Result<Duration, Fault> {
    let found = duration_or_none(text)?;
    let whole = found.subsec_millis() == 0;
    if whole && (least..=most).contains(&found.as_secs()) {
        return Ok(found);
    }
    Err(Fault::new(format!(
        "`{key}` of `{text}` is out of range, expected whole seconds from {least}s to {most}s"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_bounds_of_a_target_group() {
        assert_eq!(health_interval("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(health_interval("5m"), Ok(Duration::from_secs(300)));
        for bad in ["", "5", "0s", "4s", "301s", "5500ms", "1h"] {
            assert!(health_interval(bad).is_err(), "{bad}");
        }
        assert!(health_timeout("2s").is_ok() && health_timeout("121s").is_err());
        let seconds = Duration::from_secs;
        assert!(
            shorter(seconds(5), seconds(6)).is_ok() && shorter(seconds(5), seconds(5)).is_err()
        );
    }

    #[test]
    fn the_timeout_follows_a_short_interval() {
        for interval in 5..=300 {
            let interval = Duration::from_secs(interval);
            let timeout = default_timeout(interval);
            assert_eq!(shorter(timeout, interval), Ok(()), "{interval:?}");
        }
        assert_eq!(default_timeout(DEFAULT_INTERVAL), Duration::from_secs(5));
        assert_eq!(default_timeout(Duration::from_secs(6)), Duration::from_secs(3));
    }

    #[test]
    fn what_is_asked_for_is_judged() {
        for good in ["/", "/healthz", "/a/b?c=d&e=%20"] {
            assert_eq!(request_path(good), Ok(()), "{good}");
        }
        for bad in ["", "healthz", "http://localhost/", "/a b", "/ü", "/#x"] {
            assert!(request_path(bad).is_err(), "{bad}");
        }
        let help = |text| request_path(text).unwrap_err().help.unwrap_or_default();
        assert_eq!(help("healthz"), "write `/healthz`");
        assert_eq!(help("http://localhost/x"), "write the path alone: `\"/healthz\"`");
        assert!(health_status(200).is_ok() && health_status(500).is_err());
        assert!(health_count("healthy", 2).is_ok() && health_count("healthy", 1).is_err());
    }
}
