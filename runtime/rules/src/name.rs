use crate::Fault;

/// A Debian package name, with an optional `:architecture` (Debian Policy, section 5.6.1).
///
/// # Errors
/// When a character is not allowed, or the name is shorter than two characters. Versions belong in
/// `kiln.lock`, so `name=version` is refused too.
pub fn package(text: &str) -> Result<(), Fault> {
    if text.contains('=') || text.contains('/') {
        return Err(Fault::new(format!("package `{text}` names a version or release"))
            .help("name the package alone: the version is resolved into `kiln.lock`"));
    }
    let (name, architecture) = text.split_once(':').unwrap_or((text, "any"));
    let alnum = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let well_formed = name.len() >= 2
        && name.starts_with(alnum)
        && name.chars().all(|c| alnum(c) || matches!(c, '+' | '-' | '.'))
        && !architecture.is_empty()
        && architecture.chars().all(|c| alnum(c) || c == '-');
    if well_formed {
        return Ok(());
    }
    Err(Fault::new(format!("malformed package name `{text}`")).help(
        "a Debian package name has lowercase letters, digits, `+`, `-` and `.` (Policy 5.6.1)",
    ))
}

/// A user or group name, as `useradd(8)` takes it.
///
/// # Errors
/// When it is empty, longer than 32 characters, or has other characters than `[a-z_][a-z0-9_-]*`.
pub fn account(text: &str) -> Result<(), Fault> {
    let well_formed = text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
    if well_formed {
        return Ok(());
    }
    Err(Fault::new(format!("malformed user or group name `{text}`"))
        .help("start with a lowercase letter or `_`, go on with lowercase letters, digits, `_`, `-`; at most 32"))
}

/// The owner of a file: `user` or `user:group`, by name or by number.
///
/// # Errors
/// When a part is neither a number nor a name that [`account`] takes.
pub fn owner(text: &str) -> Result<(), Fault> {
    text.splitn(2, ':').filter(|part| part.parse::<u32>().is_err()).try_for_each(account)
}

/// The name of a service: that of a unit, whose type may be left out.
///
/// # Errors
/// When [`systemd_unit`] refuses it.
pub fn service(text: &str) -> Result<(), Fault> {
    if text.contains('.') { systemd_unit(text) } else { systemd_unit(&format!("{text}.service")) }
}

/// The name of a systemd unit: `nginx.service`, `getty@tty1.service` (systemd.unit(5)).
///
/// # Errors
/// When the suffix is no unit type, or a character is not allowed.
pub fn systemd_unit(text: &str) -> Result<(), Fault> {
    const TYPES: [&str; 11] = [
        "service",
        "socket",
        "device",
        "mount",
        "automount",
        "swap",
        "target",
        "path",
        "timer",
        "slice",
        "scope",
    ];
    let Some((name, kind)) = text.rsplit_once('.') else {
        return Err(Fault::new(format!("unit name `{text}` has no type"))
            .help(format!("write `{text}.service`, or another unit type")));
    };
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
    if !TYPES.contains(&kind) {
        return Err(Fault::new(format!("unit name `{text}` ends in the unknown type `.{kind}`"))
            .help(format!("known types: {}", TYPES.join(", "))));
    }
    if name.is_empty() || text.len() > 255 || !name.chars().all(allowed) {
        return Err(Fault::new(format!("malformed unit name `{text}`"))
            .help("use letters, digits and `:-_.\\@` (systemd.unit(5))"));
    }
    Ok(())
}

/// The name of an environment variable (POSIX, XBD 8.1).
///
/// # Errors
/// When it is empty, starts with a digit or has other characters than letters, digits and `_`.
pub fn env_name(text: &str) -> Result<(), Fault> {
    let well_formed = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if well_formed {
        return Ok(());
    }
    Err(Fault::new(format!("malformed variable name `{text}`"))
        .help("letters, digits and `_`, not starting with a digit"))
}

/// The name of an image, a layer or a test: it names files and appears on the command line.
///
/// # Errors
/// When it is empty, longer than 100 characters or has other characters than `[A-Za-z0-9_.-]`.
pub fn node(text: &str) -> Result<(), Fault> {
    let well_formed = text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if well_formed {
        return Ok(());
    }
    Err(Fault::new(format!("malformed name `{text}`")).help(
        "start with a letter or digit, go on with letters, digits, `_`, `.`, `-`; at most 100",
    ))
}

/// The name of a project: by it what runs in an account is found again, and it is part of the names of things there.
///
/// # Errors
/// When it is empty, longer than 40 characters, begins with something else than a lowercase letter, or has other
/// characters than `[a-z0-9-]`.
pub fn project(text: &str) -> Result<(), Fault> {
    let well_formed = text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if well_formed {
        return Ok(());
    }
    Err(Fault::new(format!("malformed project name `{text}`")).help(
        "start with a lowercase letter, go on with lowercase letters, digits, `-`; at most 40",
    ))
}

/// The name of a layer: `base` and `image` are what plans and records call the base of an image, and the image itself.
///
/// # Errors
/// When it is not well formed, or one of these.
pub fn layer(text: &str) -> Result<(), Fault> {
    let what = match text {
        "base" => "what an image starts from",
        "image" => "the image itself",
        _ => return node(text),
    };
    Err(Fault::new(format!("a layer cannot be named `{text}`: that is {what}"))
        .help("give it a name that says what it adds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_not_named_as_what_every_image_has() {
        assert_eq!(layer("site"), Ok(()));
        assert_eq!(layer("base-packages"), Ok(()));
        for bad in ["base", "image", "a b", ""] {
            assert!(layer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_project_is_named_as_what_aws_names_may_begin_with() {
        for good in ["shop", "s", "shop-2", &"x".repeat(40)] {
            assert_eq!(project(good), Ok(()), "{good}");
        }
        for bad in ["", "Shop", "2shop", "-shop", "shop/web", "shop_web", "..", &"x".repeat(41)] {
            assert!(project(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_judged() {
        for good in ["nginx", "libstdc++6", "g++", "libc6:i386", "python3.11"] {
            assert_eq!(package(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "Nginx", "nginx!", "nginx=1.2", "-x", "ng inx", "libc6:"] {
            assert!(package(bad).is_err(), "{bad}");
        }
        for good in ["www-data", "_apt", "deploy1"] {
            assert_eq!(account(good), Ok(()), "{good}");
        }
        for bad in ["", "Deploy", "1st", "a b", "root;rm"] {
            assert!(account(bad).is_err(), "{bad}");
        }
        for good in ["api.service", "getty@tty1.service", "srv-www.mount"] {
            assert_eq!(systemd_unit(good), Ok(()), "{good}");
        }
        for bad in ["api", "api.servce", ".service", "a/b.service"] {
            assert!(systemd_unit(bad).is_err(), "{bad}");
        }
        assert!(service("nginx").is_ok() && service("a.timer").is_ok() && service("").is_err());
        assert!(owner("www-data:0").is_ok() && owner("a:").is_err() && owner("A").is_err());
        assert!(env_name("1X").is_err() && env_name("PATH_2").is_ok());
        assert!(node("../x").is_err() && node("app-1.2").is_ok());
    }
}
