use super::Step;
use crate::{Lowering, Origin};

/// Restarts the machine. See [`reboot`].
#[derive(Debug, Clone, PartialEq)]
pub struct Reboot {
    origin: Origin,
}

/// Restarts the machine that the image is baked on and waits until it is up again: a kernel that an earlier step
/// installed runs from then on.
///
/// Where no machine runs it does nothing: in the sandbox there is neither a kernel of its own nor an init.
#[track_caller]
pub fn reboot() -> Reboot {
    Reboot { origin: Origin::caller() }
}

impl Step for Reboot {
    fn kind(&self) -> &'static str {
        "reboot"
    }

    fn title(&self) -> String {
        "reboot".into()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.reboot();
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::{LayerNode, Op};

    #[test]
    fn a_reboot_is_one_op_between_the_steps_around_it() {
        let layer =
            Layer::new("kernel").step(step::run("a")).step(step::reboot()).step(step::run("b"));
        let document =
            Document::new("shop").image(Image::new("web", "/r").base(scratch()).layer(layer));
        let LayerNode { steps, .. } = &document.images()[0].layers[0];
        let reboots: Vec<bool> = steps.iter().map(|step| step.ops.contains(&Op::Reboot)).collect();
        assert_eq!(reboots, [false, true, false]);
        assert_eq!(steps[1].ops.len(), 1);
        assert_eq!(serde_json::to_string(&steps[1].ops).unwrap(), r#"["reboot"]"#);
    }
}
