use crate::args::{Format, Global};
use kiln_engine::Error;
use std::io::{BufRead, BufReader, Write};

/// Asks at the terminal: standard input is the Document.
///
/// # Errors
/// When there is nobody to ask. `does`: what `--yes` does without asking.
pub(crate) fn agreed(global: &Global, question: &str, does: &str) -> Result<bool, Error> {
    let answer = ask(global, &format!("{question} [y/N] "), does)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Asks for a name to be typed.
///
/// # Errors
/// Likewise.
pub(crate) fn typed(global: &Global, name: &str, does: &str) -> Result<bool, Error> {
    let answer = ask(global, &format!("This cannot be undone. Type `{name}` to go on: "), does)?;
    Ok(answer.trim() == name)
}

fn ask(global: &Global, question: &str, does: &str) -> Result<String, Error> {
    if global.format == Format::Json {
        let message = "nobody is asked with `--format json`, which does not show what about";
        return Err(Error::input(message).help(format!("`--yes` {does} without asking")));
    }
    let asked = || -> std::io::Result<String> {
        let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        write!(terminal, "{question}")?;
        let mut answer = String::new();
        BufReader::new(terminal).read_line(&mut answer)?;
        Ok(answer)
    };
    // Which error the missing terminal gave helps nobody.
    asked().map_err(|_| {
        Error::input("there is no terminal to ask at, and nothing was changed")
            .help(format!("`--yes` {does} without asking"))
    })
}
