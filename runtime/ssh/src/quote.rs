//! Words for a shell.

/// One word for a POSIX shell, whatever is in it.
pub(crate) fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A name that `export` accepts.
pub(crate) fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in ["", "a b", "it's", "$HOME `id` \\ \"x\" \n !", "''", "*?[a]~"] {
            let script = format!("printf %s {}", word(text));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), text);
        }
    }

    #[test]
    fn only_names_are_variables() {
        assert!(is_variable("_A1") && is_variable("PATH"));
        assert!(
            !is_variable("") && !is_variable("1A") && !is_variable("A B") && !is_variable("A=B")
        );
    }
}
