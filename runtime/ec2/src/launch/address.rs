use aws_sdk_ec2::types::Instance;
use kiln::Address;
use kiln_engine::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// The address of a running instance that is connected to.
///
/// # Errors
/// When it has none of that kind.
pub(crate) fn address(instance: &Instance, wanted: Address) -> Result<IpAddr, Error> {
    let read = |text: Option<&str>| text.and_then(|text| text.parse::<IpAddr>().ok());
    let (public, private) =
        (read(instance.public_ip_address()), read(instance.private_ip_address()));
    let missing = |kind: &str, help: &str| {
        Error::input(format!("the instance has no {kind} address")).help(help)
    };
    match wanted {
        Address::Public => public.ok_or_else(|| {
            missing("public", "name a subnet with an internet gateway, or say `address: private`")
        }),
        Address::Private => private.ok_or_else(|| missing("private", "name another subnet")),
        Address::Auto => {
            public.or(private).ok_or_else(|| missing("IPv4", "name a subnet with IPv4 addresses"))
        }
    }
}

/// The addresses, as a CIDR, that connections from this machine come from, seen from an address.
///
/// A private one sees the address that this machine uses to get there. A public one sees what the
/// network between makes of it, which only somebody out there can tell.
///
/// # Errors
/// When there is no way there.
pub(crate) fn reachable_from(there: IpAddr) -> Result<String, Error> {
    if let IpAddr::V4(there) = there
        && !is_local(there)
    {
        if let Some(seen) = seen_from_outside() {
            return Ok(format!("{seen}/32"));
        }
        return Err(Error::environment("cannot find out this machine's address on the internet")
            .help(
                "name security groups that let SSH in: `builder: ec2 { security_groups: […] }`",
            ));
    }
    let unroutable = |error: std::io::Error| {
        Error::environment(format!("there is no way from this machine to `{there}`"))
            .help("say `address: public`, or bake from inside the network")
            .caused_by(error)
    };
    // Nothing is sent: the kernel only says which address it would use.
    let socket = UdpSocket::bind(match there {
        IpAddr::V4(_) => "0.0.0.0:0",
        IpAddr::V6(_) => "[::]:0",
    })
    .map_err(unroutable)?;
    socket.connect(SocketAddr::new(there, super::PORT)).map_err(unroutable)?;
    match socket.local_addr().map_err(unroutable)?.ip() {
        IpAddr::V4(here) => Ok(format!("{here}/32")),
        IpAddr::V6(here) => Ok(format!("{here}/128")),
    }
}

fn is_local(address: Ipv4Addr) -> bool {
    address.is_private() || address.is_loopback() || address.is_link_local()
}

/// What Amazon's own service says that we come from
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html>).
fn seen_from_outside() -> Option<Ipv4Addr> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build().into();
    let mut answer = agent.get("https://checkip.amazonaws.com").call().ok()?;
    answer.body_mut().with_config().limit(64).read_to_string().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(public: Option<&str>, private: Option<&str>) -> Instance {
        Instance::builder()
            .set_public_ip_address(public.map(ToOwned::to_owned))
            .set_private_ip_address(private.map(ToOwned::to_owned))
            .build()
    }

    #[test]
    fn the_wanted_address_is_taken_or_missed() {
        let both = instance(Some("203.0.113.7"), Some("172.16.0.7"));
        assert_eq!(address(&both, Address::Auto).unwrap().to_string(), "203.0.113.7");
        assert_eq!(address(&both, Address::Private).unwrap().to_string(), "172.16.0.7");
        let inside = instance(None, Some("172.16.0.7"));
        assert_eq!(address(&inside, Address::Auto).unwrap().to_string(), "172.16.0.7");
        assert!(address(&inside, Address::Public).unwrap_err().help_text().is_some());
    }

    #[test]
    fn a_local_address_sees_the_one_that_leads_there() {
        let loopback = "127.0.0.1".parse().unwrap();
        assert_eq!(reachable_from(loopback).unwrap(), "127.0.0.1/32");
    }
}
