use std::fs::File;
use std::io::{BufRead, BufReader, Write};

/// Asks on the terminal, whatever standard input is. `None` when there is no terminal.
pub(super) fn consent(question: &str) -> Option<bool> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
    terminal.write_all(question.as_bytes()).ok()?;
    let mut answer = String::new();
    BufReader::new(terminal).read_line(&mut answer).ok()?;
    Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
