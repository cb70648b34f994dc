use crate::launch::Start;
use kiln::Ec2;
use kiln_engine::Error;

/// Whether an image can be made of what a session stands on as it is.
#[derive(Debug)]
pub(crate) enum Cleaned {
    /// No: the machine has to be cleaned and photographed for it.
    No,
    /// Of this snapshot.
    As {
        snapshot: String,
        /// Whether the machine has booted from it, and nothing was run on it since: it is what the image's
        /// machines will be.
        has_booted: bool,
    },
    /// Cleaning the machine has failed, for this reason.
    Failed(Error),
}

impl Cleaned {
    /// Of a session that begins.
    pub(crate) fn at_launch(start: &Start, recipe: &Ec2) -> Self {
        let size = recipe.volume.as_ref().and_then(|volume| volume.size);
        match start {
            // An image's volume is as large as that of its snapshot.
            Start::Snapshot { id, layer }
                if layer.is_clean
                    && size.is_none_or(|size| i64::from(size) == i64::from(layer.size)) =>
            {
                Self::As { snapshot: id.clone(), has_booted: true }
            }
            _ => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::MachineFacts;
    use crate::index::Layer;
    use kiln::ec2;

    fn start(is_clean: bool) -> Start {
        let facts = MachineFacts::parse("x86_64 /dev/xvda ena").unwrap();
        let layer = Layer { facts, is_clean, is_complete: true, size: 8 };
        Start::Snapshot { id: "snap-1".into(), layer }
    }

    fn is_reused(start: &Start, recipe: &Ec2) -> bool {
        matches!(Cleaned::at_launch(start, recipe), Cleaned::As { has_booted: true, .. })
    }

    #[test]
    fn only_what_was_cleaned_is_an_image_as_it_is() {
        assert!(is_reused(&start(true), &ec2()));
        assert!(!is_reused(&start(false), &ec2()));
    }

    #[test]
    fn an_image_on_a_volume_of_another_size_is_photographed_anew() {
        let sized = |size| ec2().volume(kiln::Volume::new().size(size));
        assert!(is_reused(&start(true), &sized(8)));
        assert!(!is_reused(&start(true), &sized(20)));
    }
}
