use kiln_engine::Event;
use std::io::Write;

/// One event, one line.
pub(super) fn print(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}
