use kiln_engine::{Error, ErrorKind};

/// An error of a connection, as one of the engine's.
pub(crate) fn in_our_words(error: kiln_ssh::Error) -> Error {
    let kind = match error.kind() {
        kiln_ssh::ErrorKind::Input => ErrorKind::Input,
        kiln_ssh::ErrorKind::Interrupted => return Error::interrupted(),
        _ => ErrorKind::Environment,
    };
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    let ours = Error::new(kind, message).output(error.output_lines().to_vec());
    match error.help_text() {
        Some(help) => ours.help(help),
        None => ours,
    }
}
