use crate::clock::Moment;
use std::time::Duration;

/// What one who waits for a lease has seen of it, told by a clock of their own: who has a lease writes it again before its time
/// is over.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The version that was read last, and when it had been read for the first time.
    seen: Option<(String, Moment)>,
}

impl Watch {
    /// Notes what was read, asked for and answered then, and says for how long it has certainly stood there: from the first
    /// answer to the last question.
    pub(crate) fn stood(&mut self, version: &str, asked: Moment, answered: Moment) -> Duration {
        match &self.seen {
            Some((seen, since)) if seen == version => asked.since(*since),
            _ => {
                self.seen = Some((version.to_owned(), answered));
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_from_its_first_answer_to_the_last_question() {
        let now = Moment::now();
        let at = |seconds| now.plus(Duration::from_secs(seconds));
        let mut watch = Watch::default();
        assert_eq!(watch.stood("a", at(0), at(2)), Duration::ZERO);
        assert_eq!(watch.stood("a", at(3), at(9)), Duration::from_secs(1));
        assert_eq!(watch.stood("a", at(12), at(12)), Duration::from_secs(10));
        // Written again: its holder lives.
        assert_eq!(watch.stood("b", at(13), at(14)), Duration::ZERO);
        assert_eq!(watch.stood("b", at(15), at(15)), Duration::from_secs(1));
    }
}
