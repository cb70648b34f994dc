use crate::Fault;

/// Shell text that does something.
///
/// # Errors
/// When it is blank.
pub fn command(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(Fault::new("`run` has no command").help("write a command, or remove `run`"));
    }
    Ok(())
}

/// The value of an environment variable of an image, which `/etc/environment` holds as one line.
///
/// # Errors
/// When it has a newline, a NUL or a double quote.
pub fn env_value(name: &str, value: &str) -> Result<(), Fault> {
    if value.contains(['\n', '\0', '"']) {
        return Err(Fault::new(format!("the value of `{name}` has a newline, a NUL or a quote"))
            .help("`/etc/environment` has one plain value a line"));
    }
    Ok(())
}

/// One line of `~/.ssh/authorized_keys` (sshd(8)).
///
/// # Errors
/// When it is more than one line, blank, or a private key.
pub fn authorized_key(text: &str) -> Result<(), Fault> {
    let one_line = !text.trim().is_empty() && !text.contains(['\n', '\0']);
    if one_line && !text.contains("PRIVATE KEY") {
        return Ok(());
    }
    Err(Fault::new("an authorized key is not one line of a public key")
        .help("paste the line of the `.pub` file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_judged() {
        assert!(command(" \n").is_err() && command("true").is_ok());
        assert!(env_value("A", "a\nb").is_err() && env_value("A", "a b").is_ok());
        assert!(authorized_key("ssh-ed25519 AAAA me").is_ok());
        for bad in ["", "a\nb", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert!(authorized_key(bad).is_err(), "{bad}");
        }
    }
}
