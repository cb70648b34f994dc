use super::seen::Kind;
use std::time::Duration;

/// Between two rounds: at first and at last. In between it is this part of the age of the youngest thing awaited:
/// what took 17 s is seen 0.7 s late on average, by some forty rounds.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
const PART: u32 = 12;

/// While a deployment is awaited it is no longer than this for the first two minutes, and this part of the age then: each
/// second that healthy servers are not seen is one in which the old version answers.
const LONGEST_OF_SERVERS: Duration = Duration::from_secs(1);
const PART_OF_SERVERS: u32 = 120;

/// For each target group, which costs a call of its own: Elastic Load Balancing answers some ten of them a second.
const TARGETS: Duration = Duration::from_millis(100);

/// What is left of the age of servers of which there is news: what begins to change goes on changing, but not at once.
const AFTER_NEWS: u32 = 4;

/// The age of servers that have just changed.
pub(super) fn after_news(age: Duration) -> Duration {
    age / AFTER_NEWS
}

/// How long until the next round. `awaited` is each object with its age. `None`: nobody waits.
pub(super) fn pause(awaited: impl IntoIterator<Item = (Kind, Duration)>) -> Option<Duration> {
    let (mut shortest, mut targets) = (None, 0);
    for (kind, age) in awaited {
        let longest = match kind {
            Kind::Group | Kind::Targets => LONGEST_OF_SERVERS.max(age / PART_OF_SERVERS),
            Kind::Instance | Kind::Snapshot | Kind::Image => LONGEST,
        };
        let own = (age / PART).min(longest).clamp(SHORTEST, LONGEST);
        shortest = Some(shortest.map_or(own, |other: Duration| other.min(own)));
        targets += u32::from(kind == Kind::Targets);
    }
    Some(shortest?.max(TARGETS * targets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(awaited: &[(Kind, u64)]) -> Duration {
        let awaited = awaited.iter().map(|(kind, age)| (*kind, Duration::from_secs(*age)));
        pause(awaited).unwrap()
    }

    #[test]
    fn nobody_is_waited_for_by_nobody() {
        assert_eq!(pause([]), None);
    }

    #[test]
    fn the_youngest_decides_how_soon_all_are_read_again() {
        assert_eq!(of(&[(Kind::Image, 0)]), SHORTEST);
        assert_eq!(of(&[(Kind::Image, 24)]), Duration::from_secs(2));
        assert_eq!(of(&[(Kind::Image, 3600)]), LONGEST);
        assert_eq!(of(&[(Kind::Image, 3600), (Kind::Instance, 0)]), SHORTEST);
    }

    #[test]
    fn servers_are_looked_at_each_second_until_it_takes_them_minutes() {
        assert_eq!(of(&[(Kind::Group, 6)]), Duration::from_millis(500));
        assert_eq!(of(&[(Kind::Group, 60)]), LONGEST_OF_SERVERS);
        assert_eq!(of(&[(Kind::Targets, 240)]), Duration::from_secs(2));
        assert_eq!(of(&[(Kind::Group, 3600)]), LONGEST);
    }

    #[test]
    fn many_target_groups_are_read_no_faster_than_they_are_answered() {
        let many: Vec<(Kind, u64)> = [(Kind::Targets, 0); 30].into();
        assert_eq!(of(&many), Duration::from_secs(3));
    }
}
