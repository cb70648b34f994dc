/// The first step's text says which round it is, so that changing the round changes the step.
pub(super) const ROUND: &str = "round zero";

/// What changes before a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// Nothing.
    Nothing,
    /// The file that the sixth step copies: the sixth and the seventh are built.
    Note,
    /// The text of the first step: all seven are built.
    First,
}

impl Case {
    pub(super) const ALL: [Self; 3] = [Self::Nothing, Self::Note, Self::First];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "seven steps: nothing changed",
            Self::Note => "seven steps: the copied file changed, two steps built",
            Self::First => "seven steps: all seven built, base present",
        }
    }

    /// How many of the seven steps are built.
    pub(super) fn built(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Note => 2,
            Self::First => 7,
        }
    }
}
