use super::{Step, options, quote};
use crate::{Lowering, Origin};
use kiln_rules as rules;

/// Decides whether a service starts at boot. See [`service`].
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    origin: Origin,
    name: String,
    enable: bool,
    mask: bool,
}

/// Decides whether a systemd unit starts when the image boots. A name without a type is a service.
///
/// Nothing is started while an image is baked.
#[track_caller]
pub fn service(name: impl Into<String>) -> Service {
    Service { origin: Origin::caller(), name: name.into(), enable: true, mask: false }
}

impl Service {
    /// Whether it starts at boot. It does unless told.
    #[must_use]
    pub fn enable(mut self, enable: bool) -> Self {
        self.enable = enable;
        self
    }

    /// Whether it is masked: nothing can start it.
    #[must_use]
    pub fn mask(mut self, mask: bool) -> Self {
        self.mask = mask;
        self
    }
}

impl Step for Service {
    fn kind(&self) -> &'static str {
        "service"
    }

    fn title(&self) -> String {
        let verb = match (self.mask, self.enable) {
            (true, _) => "mask",
            (false, true) => "enable",
            (false, false) => "disable",
        };
        format!("service {} ({verb})", self.name)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.check(rules::service(&self.name));
        let unit =
            if self.name.contains('.') { self.name } else { format!("{}.service", self.name) };
        let unit = quote(&unit);
        into.exec(options::shell(match (self.mask, self.enable) {
            (true, _) => format!("systemctl --quiet mask {unit}\n"),
            (false, true) => {
                format!("systemctl --quiet unmask {unit}\nsystemctl --quiet enable {unit}\n")
            }
            (false, false) => format!("systemctl --quiet disable {unit}\n"),
        }));
    }
}
