use crate::Fault;

/// A path in the image: absolute, without `.`, `..` or empty components.
///
/// One trailing `/` is allowed and means "into this directory".
///
/// # Errors
/// When it is relative, names the root itself, or has a component that would be resolved.
pub fn destination(text: &str) -> Result<(), Fault> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err(Fault::new(format!("destination `{text}` is relative"))
            .help(format!("write the whole path: `/{text}`")));
    };
    if text.contains('\0') {
        return Err(Fault::new("destination holds a NUL byte"));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    match rest.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        None => Ok(()),
        Some("") if rest.is_empty() => Err(Fault::new("destination `/` is the root itself")
            .help("name a file or a directory below it")),
        Some(part) => Err(Fault::new(format!("destination `{text}` has a `{part}` component"))
            .help("write the path as it is in the image, each component by its name")),
    }
}

/// A directory of the image to run in: a [`destination`], or the root.
///
/// # Errors
/// When it is relative or has a component that would be resolved.
pub fn directory(text: &str) -> Result<(), Fault> {
    if text == "/" { Ok(()) } else { destination(text) }
}

/// A path of an input, relative to the directory of the recipes' `Cargo.toml`.
///
/// # Errors
/// When it is empty, absolute, or leaves the directory with `..`.
pub fn source(text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::new("empty path").help("name a file or a directory beside `Cargo.toml`"));
    }
    if text.starts_with('/') {
        return Err(Fault::new(format!("input `{text}` is absolute"))
            .help("inputs are relative to the directory of the recipes' `Cargo.toml`, so that every checkout has the same key"));
    }
    if text.split('/').any(|part| part == "..") {
        return Err(Fault::new(format!("input `{text}` leaves the recipes' directory"))
            .help("inputs lie beside or below the recipes' `Cargo.toml`"));
    }
    if text.contains('\0') {
        return Err(Fault::new("input path holds a NUL byte"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_judged() {
        for good in ["/etc/nginx/nginx.conf", "/srv/www/", "/a"] {
            assert_eq!(destination(good), Ok(()), "{good}");
        }
        for bad in ["", "/", "//", "etc", "/a/../b", "/a//b", "/./a", "/a\0"] {
            assert!(destination(bad).is_err(), "{bad:?}");
        }
        for good in ["site", "site/", "a/b.txt", "."] {
            assert_eq!(source(good), Ok(()), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../x"] {
            assert!(source(bad).is_err(), "{bad:?}");
        }
    }
}
