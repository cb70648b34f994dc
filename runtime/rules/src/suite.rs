use crate::Fault;

/// The Debian suites that a base can start from.
pub const SUITES: [&str; 2] = ["bookworm", "trixie"];

/// A Debian suite by its code name.
///
/// # Errors
/// When it is not one of [`SUITES`]. Names that move, such as `stable`, are refused: a base must not
/// become another distribution by itself.
pub fn suite(text: &str) -> Result<(), Fault> {
    if SUITES.contains(&text) {
        return Ok(());
    }
    Err(Fault::new(format!("unknown Debian suite `{text}`"))
        .help(format!("known suites: {}", SUITES.join(", "))))
}
