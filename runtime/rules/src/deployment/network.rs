use crate::Fault;
use std::net::IpAddr;

/// Addresses of a network: `10.0.0.0/8`, `2001:db8::/32`. It has one spelling, that of RFC 5952 for IPv6: what EC2 says of
/// it later is compared with it.
///
/// # Errors
/// When the address or the length of the prefix is malformed, the address has bits beyond the prefix, or it is spelled
/// otherwise.
pub fn cidr(text: &str) -> Result<(), Fault> {
    let malformed = |help: &str| Err(Fault::new(format!("malformed CIDR `{text}`")).help(help));
    let Some((address, length)) = text.split_once('/') else {
        return malformed(&match text.parse() {
            Ok(IpAddr::V4(_)) => format!("for this address alone write `{text}/32`"),
            Ok(IpAddr::V6(_)) => format!("for this address alone write `{text}/128`"),
            Err(_) => "write an address and the length of its prefix: `\"10.0.0.0/8\"`".into(),
        });
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return malformed("write an address and the length of its prefix: `\"10.0.0.0/8\"`");
    };
    let most: u32 = if address.is_ipv4() { 32 } else { 128 };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length = length.parse::<u32>().ok().filter(|length| digits && *length <= most);
    let Some(length) = length else {
        return malformed(&format!("the length of its prefix is a number from 0 to {most}"));
    };
    let network = first(address, most - length);
    let spelled = format!("{network}/{length}");
    if spelled == text {
        return Ok(());
    }
    if network == address {
        return Err(Fault::new(format!("`{text}` is another spelling of `{spelled}`"))
            .help(format!("write `{spelled}`: so EC2 says it too")));
    }
    Err(Fault::new(format!("`{text}` has bits beyond its prefix"))
        .help(format!("for the whole network write `{spelled}`")))
}

/// The first address of a network whose last bits are free.
fn first(address: IpAddr, free: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(free).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(free).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

/// A certificate by its ARN, of Certificate Manager or of IAM.
///
/// # Errors
/// When it is no ARN, or that of another kind of thing.
pub fn certificate(text: &str) -> Result<(), Fault> {
    let known = match parts(text) {
        Some(("acm", region, resource)) => {
            !region.is_empty() && resource.strip_prefix("certificate/").is_some_and(named)
        }
        Some(("iam", "", resource)) => {
            resource.strip_prefix("server-certificate/").is_some_and(named)
        }
        _ => false,
    };
    if known {
        return Ok(());
    }
    Err(Fault::new(format!("`{text}` is not the ARN of a certificate"))
        .help("write `arn:aws:acm:REGION:ACCOUNT:certificate/ID`"))
}

/// A target group by its ARN.
///
/// # Errors
/// When it is no ARN, or that of another kind of thing.
pub fn target_group(text: &str) -> Result<(), Fault> {
    let known = match parts(text) {
        Some(("elasticloadbalancing", region, resource)) => {
            let name = resource.strip_prefix("targetgroup/").and_then(|rest| rest.split_once('/'));
            !region.is_empty() && name.is_some_and(|(name, id)| named(name) && named(id))
        }
        _ => false,
    };
    if known {
        return Ok(());
    }
    Err(Fault::new(format!("`{text}` is not the ARN of a target group"))
        .help("write `arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID`"))
}

/// Whether what an ARN names can be used in a region. What is not bound to a region can be used in all.
///
/// # Errors
/// When it lies in another region.
pub fn in_region(arn: &str, region: &str) -> Result<(), Fault> {
    match parts(arn) {
        Some((_, there, _)) if !there.is_empty() && there != region => {
            Err(Fault::new(format!("`{arn}` lies in `{there}`, but the servers in `{region}`"))
                .help(format!("name one that lies in `{region}`")))
        }
        _ => Ok(()),
    }
}

/// Service, region and resource of an ARN with an account (AWS General Reference, "Amazon Resource Names").
fn parts(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let head = parts.next()? == "arn" && parts.next()?.starts_with("aws");
    let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
    let account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let region =
        Some(region).filter(|region| region.is_empty() || crate::region(region).is_ok())?;
    (head && account).then_some((service, region, parts.next()?))
}

fn named(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_judged() {
        for good in ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.7/32", "::/0", "2001:db8::/32"] {
            assert_eq!(cidr(good), Ok(()), "{good}");
        }
        for bad in ["", "10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129"]
        {
            assert!(cidr(bad).is_err(), "{bad}");
        }
        let help = |text| cidr(text).unwrap_err().help.unwrap_or_default();
        assert_eq!(help("10.1.2.3/8"), "for the whole network write `10.0.0.0/8`");
        assert_eq!(help("10.1.2.3/0"), "for the whole network write `0.0.0.0/0`");
        assert_eq!(help("2001:db8::1/32"), "for the whole network write `2001:db8::/32`");
        for (spelled, otherwise) in [
            ("2001:db8::/32", ["2001:DB8::/32", "2001:0db8::/32", "2001:db8:0:0::/32"]),
            ("::/0", ["0::/0", "::0/0", "::/00"]),
            ("10.0.0.0/8", ["10.0.0.0/08", "10.0.0.0/008", "10.0.0.0/0008"]),
        ] {
            for text in otherwise {
                let expected = format!("write `{spelled}`: so EC2 says it too");
                assert_eq!(help(text), expected, "{text}");
            }
        }
        assert_eq!(help("2001:DB8::1/32"), "for the whole network write `2001:db8::/32`");
        assert_eq!(help("192.0.2.7"), "for this address alone write `192.0.2.7/32`");
    }

    #[test]
    fn only_the_arn_of_the_thing_itself_will_do() {
        let group =
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";
        let acm = "arn:aws:acm:eu-west-1:123456789012:certificate/1a2b";
        let iam = "arn:aws:iam::123456789012:server-certificate/web";
        assert_eq!(target_group(group), Ok(()));
        assert_eq!(certificate(acm), Ok(()));
        assert_eq!(certificate(iam), Ok(()));
        for bad in [
            "",
            "web",
            iam,
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/0123",
            "arn:aws:elasticloadbalancing:eu-wset-1:123456789012:targetgroup/web/0123",
            "arn:aws:elasticloadbalancing:eu-west-1:12:targetgroup/web/0123",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web",
        ] {
            assert!(target_group(bad).is_err(), "{bad}");
        }
        assert!(certificate(group).is_err());
        assert!(certificate("arn:aws:acm::123456789012:certificate/1a2b").is_err());
        assert!(in_region(group, "eu-west-1").is_ok() && in_region(group, "eu-west-2").is_err());
        assert!(in_region(iam, "eu-west-2").is_ok());
    }
}
