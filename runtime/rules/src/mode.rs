use crate::Fault;

/// A file mode: permission, set-id and sticky bits only, `0..=0o7777`.
///
/// # Errors
/// When other bits are set, which is what a mode written in decimal looks like.
pub fn mode(mode: u32) -> Result<(), Fault> {
    if mode <= 0o7777 {
        return Ok(());
    }
    let fault = Fault::new(format!("mode `{mode:#o}` is out of range, expected at most `0o7777`"));
    let decimal = u32::from_str_radix(&mode.to_string(), 8);
    Err(match decimal {
        Ok(octal) if octal <= 0o7777 => fault.help(format!("write it in octal: `{octal:#05o}`")),
        _ => fault,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_end_at_the_sticky_bit() {
        assert_eq!(mode(0o7777), Ok(()));
        assert!(mode(0o10000).is_err());
    }
}
