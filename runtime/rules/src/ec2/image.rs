use super::identifier::identifier;
use crate::{Fault, nearest};

/// The identifier of an AMI: `ami-0123456789abcdef0`.
///
/// # Errors
/// When it is not `ami-` and 8 or 17 lowercase hexadecimal digits.
pub fn ami(text: &str) -> Result<(), Fault> {
    identifier(text, "ami-", "AMI")
}

/// The name of a parameter of Systems Manager that holds the identifier of an AMI, with an optional version or
/// label: `/aws/service/debian/release/12/latest/amd64` (`GetParameter`).
///
/// # Errors
/// When it has other characters than letters, digits and `_.-/`, is longer than 1011, has more than 15
/// levels, or a level is empty.
pub fn ami_parameter(text: &str) -> Result<(), Fault> {
    let (name, selector) = text.split_once(':').unwrap_or((text, "latest"));
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    // Only a name that starts with `/` has levels.
    let levels = name.strip_prefix('/').map_or(vec![name], |path| path.split('/').collect());
    let well_formed = text.len() <= 1011
        && levels.len() <= 15
        && levels.iter().all(|level| !level.is_empty() && level.chars().all(allowed))
        && !selector.is_empty()
        && selector.chars().all(allowed);
    if well_formed {
        return Ok(());
    }
    Err(Fault::new(format!("malformed parameter name `{text}`")).help(
        "write the whole path: `\"/aws/service/debian/release/12/latest/amd64\"`; letters, digits, `_.-`, at most 15 levels",
    ))
}

/// Whose AMIs are looked through: an account of 12 digits, or one of the names that EC2 knows.
///
/// # Errors
/// When it is neither. Without an owner anyone's AMI of a fitting name would be taken, so there is no
/// word for "any".
pub fn ami_owner(text: &str) -> Result<(), Fault> {
    const NAMES: [&str; 4] = ["amazon", "aws-backup-vault", "aws-marketplace", "self"];
    let account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if account || NAMES.contains(&text) {
        return Ok(());
    }
    Err(Fault::new(format!("unknown owner `{text}`")).help(match nearest(text, NAMES) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write the 12 digits of an account, `self`, `amazon` or `aws-marketplace`".into(),
    }))
}

/// A pattern for the names of AMIs: `*` stands for any text, `?` for any character (`DescribeImages`).
///
/// # Errors
/// When it is empty, longer than 128 characters, has a character that no AMI's name has, or says nothing.
pub fn ami_name_pattern(text: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_*?".contains(c);
    if text.is_empty() || text.len() > 128 || !text.chars().all(allowed) {
        return Err(Fault::new(format!("malformed pattern of AMI names `{text}`"))
            .help("letters, digits, spaces and `()[]./-'@_`, with `*` and `?`; at most 128"));
    }
    if text.chars().all(|c| matches!(c, '*' | '?')) {
        return Err(Fault::new(format!("`{text}` fits every AMI of the owner"))
            .help("write what the names begin with: `\"debian-12-amd64-*\"`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_judged() {
        assert!(ami("ami-0123456789abcdef0").is_ok() && ami("ami-12345678").is_ok());
        for bad in ["", "ami-", "ami-0123456789abcdef", "AMI-0123456789abcdef0", "debian-12"] {
            assert!(ami(bad).is_err(), "{bad}");
        }
        for good in ["/aws/service/debian/release/12/latest/amd64", "golden", "/a/b:3", "/a/b:prod"]
        {
            assert_eq!(ami_parameter(good), Ok(()), "{good}");
        }
        for bad in ["", "/", "/a//b", "/a/b/", "a/b", "/a b", "/a:", &"/a".repeat(16)] {
            assert!(ami_parameter(bad).is_err(), "{bad}");
        }
        for good in ["136693071363", "amazon", "self", "aws-marketplace"] {
            assert_eq!(ami_owner(good), Ok(()), "{good}");
        }
        let help = ami_owner("amzon").unwrap_err().help.unwrap_or_default();
        assert_eq!(help, "did you mean `amazon`?");
        assert!(ami_owner("13669307136").is_err() && ami_owner("*").is_err());
        assert!(ami_name_pattern("debian-12-amd64-*").is_ok());
        for bad in ["", "*", "**?", "debian:12", &"x".repeat(129)] {
            assert!(ami_name_pattern(bad).is_err(), "{bad}");
        }
    }
}
