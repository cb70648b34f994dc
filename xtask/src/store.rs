//! Where a user who is not root keeps a store.

use crate::root;
use std::ffi::OsString;
use std::path::PathBuf;

/// The user's own store, as the XDG Base Directory Specification places data. `None` for root, whose is the
/// machine's, and for whom the environment names one.
pub(crate) fn of_user() -> Option<PathBuf> {
    if root::is_root() {
        return None;
    }
    place(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
}

fn place(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if variable("KILN_STORE").is_some() {
        return None;
    }
    // The specification: a relative path is to be ignored.
    let data = variable("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    Some(data.or_else(home)?.join("kiln"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<PathBuf> {
        place(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_store_is_where_the_user_keeps_data() {
        let home = ("HOME", "/home/ada");
        assert_eq!(of(&[home]), Some("/home/ada/.local/share/kiln".into()));
        assert_eq!(of(&[home, ("XDG_DATA_HOME", "/data")]), Some("/data/kiln".into()));
        assert_eq!(of(&[home, ("XDG_DATA_HOME", "data")]), of(&[home]));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_store_that_the_environment_names_is_taken() {
        assert_eq!(of(&[("HOME", "/home/ada"), ("KILN_STORE", "/store")]), None);
    }
}
