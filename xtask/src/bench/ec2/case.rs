/// The first layer's text says which round it is, so that changing the round changes the layer.
pub(super) const ROUND: &str = "round zero";

/// What changes before a bake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// Nothing.
    Nothing,
    /// The file that the last layer copies.
    Last,
    /// The text of the first layer.
    Everything,
}

impl Case {
    pub(super) const ALL: [Self; 3] = [Self::Nothing, Self::Last, Self::Everything];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "an AMI of three layers: nothing changed",
            Self::Last => "an AMI of three layers: the last one changed",
            Self::Everything => "an AMI of three layers: all three changed",
        }
    }

    /// How many of the three layers are built.
    pub(super) fn built(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Last => 1,
            Self::Everything => 3,
        }
    }

    /// How many times as fast as Packer Kiln is to be.
    pub(super) fn factor(self) -> f64 {
        match self {
            Self::Nothing => 100.0,
            Self::Last => 3.0,
            Self::Everything => 1.0,
        }
    }
}
