use super::health::seconds;
use crate::{Fault, port};
use std::time::Duration;

/// The ports that servers listen on.
///
/// # Errors
/// When one is out of range, or there twice.
pub fn ports(numbers: &[u64]) -> Result<(), Fault> {
    for (at, number) in numbers.iter().enumerate() {
        port(*number)?;
        if numbers[..at].contains(number) {
            return Err(
                Fault::new(format!("port `{number}` is declared twice")).help("remove one of them")
            );
        }
    }
    Ok(())
}

/// Whether the port that somebody asks for is one of those that servers listen on.
///
/// # Errors
/// When it is not.
pub fn declared(who: &str, port: u64, ports: &[u64]) -> Result<(), Fault> {
    if ports.contains(&port) {
        return Ok(());
    }
    let help = match ports {
        [] => format!("add `ports: [{port}]`"),
        known => {
            let known = known.iter().map(|port| format!("`{port}`")).collect::<Vec<_>>();
            format!("declared are {}: add it to `ports`, or take one of them", known.join(", "))
        }
    };
    Err(Fault::new(format!("{who} asks for port `{port}`, which nobody declares")).help(help))
}

/// How long open requests are given when a server is taken out, in whole seconds: 0 s to an hour.
///
/// # Errors
/// When it is no such duration.
pub fn drain(text: &str) -> Result<Duration, Fault> {
    seconds("drain", text, (0, 3600))
}

/// Whether an application load balancer can be made in so many subnets: it has to stand in two zones.
///
/// # Errors
/// When it is one alone.
pub fn balancer_subnets(count: usize) -> Result<(), Fault> {
    if count != 1 {
        return Ok(());
    }
    Err(Fault::new("an application load balancer needs subnets in two zones, found one subnet")
        .help("name another one, in a different zone; a `network` load balancer does with one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_in_range_and_there_once() {
        assert_eq!(ports(&[80, 443]), Ok(()));
        assert!(ports(&[0]).is_err() && ports(&[65536]).is_err() && ports(&[80, 80]).is_err());
    }

    #[test]
    fn a_port_that_nobody_declares_comes_with_those_that_are() {
        let help = |ports| declared("`health`", 8080, ports).unwrap_err().help.unwrap_or_default();
        assert_eq!(declared("`health`", 80, &[80]), Ok(()));
        assert_eq!(help(&[]), "add `ports: [8080]`");
        assert_eq!(
            help(&[80, 443]),
            "declared are `80`, `443`: add it to `ports`, or take one of them"
        );
    }

    #[test]
    fn draining_may_take_no_time_at_all() {
        assert_eq!(drain("0s"), Ok(Duration::ZERO));
        assert_eq!(drain("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["", "0", "s", "61m", "500ms"] {
            assert!(drain(bad).is_err(), "{bad}");
        }
    }
}
