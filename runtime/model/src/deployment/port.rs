use crate::{Origin, Problems};
use kiln_rules as rules;

/// The port that somebody asks for, or else the only one that is declared. Where there is none, it is noted, and 0.
pub(super) fn choose(
    who: &str,
    said: Option<u16>,
    ports: &[u16],
    origin: &Origin,
    problems: &mut Problems,
) -> u16 {
    let known: Vec<u64> = ports.iter().copied().map(u64::from).collect();
    let (outcome, port) = match (said, ports) {
        (Some(port), _) => (rules::declared(who, port.into(), &known), port),
        (None, [only]) => (Ok(()), *only),
        (None, _) => (Err(rules::no_port(who, ports.len())), 0),
    };
    problems.check(origin, outcome);
    port
}
