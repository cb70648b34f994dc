use crate::Fault;

/// The identifier of a subnet: `subnet-0123456789abcdef0`.
///
/// # Errors
/// When it is not `subnet-` and 8 or 17 lowercase hexadecimal digits.
pub fn subnet(text: &str) -> Result<(), Fault> {
    identifier(text, "subnet-", "subnet")
}

/// The identifier of a security group: `sg-0123456789abcdef0`.
///
/// # Errors
/// When it is not `sg-` and 8 or 17 lowercase hexadecimal digits: a group's name is refused.
pub fn security_group(text: &str) -> Result<(), Fault> {
    identifier(text, "sg-", "security group")
}

/// An instance profile, by its name or by its ARN (IAM's `AddRoleToInstanceProfile`).
///
/// # Errors
/// When it is neither, or the ARN is that of another kind of thing.
pub fn instance_profile(text: &str) -> Result<(), Fault> {
    let well_named = |name: &str| {
        (1..=128).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
    };
    if !text.starts_with("arn:") {
        if well_named(text) {
            return Ok(());
        }
        return Err(Fault::new(format!("malformed instance profile `{text}`"))
            .help("write its name, letters, digits and `_+=,.@-`, at most 128; or its ARN"));
    }
    let mut parts = text.splitn(6, ':');
    let (partition, service) = (parts.nth(1).unwrap_or_default(), parts.next());
    let (region, account, resource) =
        (parts.next(), parts.next().unwrap_or_default(), parts.next());
    let profile = resource.and_then(|resource| resource.strip_prefix("instance-profile/"));
    let well_formed = partition.starts_with("aws")
        && (service, region) == (Some("iam"), Some(""))
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && profile.is_some_and(|path| path.rsplit('/').next().is_some_and(well_named));
    if well_formed {
        return Ok(());
    }
    Err(Fault::new(format!("`{text}` is not the ARN of an instance profile"))
        .help("write `arn:aws:iam::ACCOUNT:instance-profile/NAME`; a role is another thing"))
}

/// An identifier as EC2 makes them: a prefix and 8 hexadecimal digits, 17 since 2016.
pub(super) fn identifier(text: &str, prefix: &str, what: &str) -> Result<(), Fault> {
    let hex = |digits: &str| {
        matches!(digits.len(), 8 | 17)
            && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if text.strip_prefix(prefix).is_some_and(hex) {
        return Ok(());
    }
    Err(Fault::new(format!("malformed {what} `{text}`")).help(format!(
        "write its identifier: `{prefix}` and 17 (or 8) lowercase hexadecimal digits"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_judged() {
        for good in ["subnet-0123456789abcdef0", "subnet-0a1b2c3d"] {
            assert_eq!(subnet(good), Ok(()), "{good}");
        }
        for bad in
            ["", "subnet-", "subnet-0123", "subnet-0123456789ABCDEF0", "sg-0a1b2c3d", "0a1b2c3d"]
        {
            assert!(subnet(bad).is_err(), "{bad}");
        }
        assert!(security_group("sg-0a1b2c3d").is_ok() && security_group("default").is_err());
    }

    #[test]
    fn instance_profiles_are_judged() {
        for good in [
            "web",
            "my.profile@x",
            "arn:aws:iam::123456789012:instance-profile/web",
            "arn:aws-cn:iam::123456789012:instance-profile/a/b/web",
        ] {
            assert_eq!(instance_profile(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a b",
            "arn:aws:iam::123456789012:role/web",
            "arn:aws:iam::12:instance-profile/web",
            "arn:aws:iam::123456789012:instance-profile/",
            "arn:",
        ] {
            assert!(instance_profile(bad).is_err(), "{bad}");
        }
    }
}
