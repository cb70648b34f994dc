use super::health::seconds;
use crate::{Fault, port};
use std::time::Duration;

/// A port that servers listen on, beside those that were declared before it.
///
/// # Errors
/// When it is out of range, or one of them.
pub fn another_port(number: u64, before: &[u64]) -> Result<(), Fault> {
    port(number)?;
    if before.contains(&number) {
        return Err(
            Fault::new(format!("port `{number}` is declared twice")).help("remove one of them")
        );
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

/// What is wrong where somebody names no port, and the servers listen on none or on several.
#[must_use]
pub fn no_port(who: &str, declared: usize) -> Fault {
    let help = match declared {
        0 => "declare the ports that servers listen on: `ports: [80]`",
        _ => "the deployment declares several: name one of them",
    };
    Fault::new(format!("{who} has no port")).help(help)
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
        assert_eq!(another_port(443, &[80]), Ok(()));
        for bad in [0, 65536, 80] {
            assert!(another_port(bad, &[80]).is_err(), "{bad}");
        }
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
