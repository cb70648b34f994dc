use super::poller::{Heed, Poller, Verdict};
use super::seen::{Kind, Seen};
use crate::aws::Refusal;
use aws_sdk_ec2::types::{
    Image, ImageState, Instance, InstanceStateName, Snapshot, SnapshotState, StateReason,
};
use kiln_engine::Error;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

impl Poller {
    /// Waits until an instance runs.
    ///
    /// # Errors
    /// When it ends instead: EC2's reason is in the error.
    pub(crate) async fn running(&self, id: &str) -> Result<Arc<Instance>, Error> {
        self.until((Kind::Instance, id), 30 * MINUTE, Heed::Interruption, |seen| {
            let Seen::Instance(instance) = seen else { return gone(id) };
            match state(instance) {
                Some(InstanceStateName::Running) => Verdict::Done(Arc::clone(instance)),
                Some(InstanceStateName::Pending) | None => Verdict::Wait,
                Some(other) => Verdict::Failed(reason(
                    instance.state_reason(),
                    instance.state_transition_reason(),
                    other.as_str(),
                )),
            }
        })
        .await
    }

    /// Waits until an instance is no more, and with it its network interface.
    pub(crate) async fn terminated(&self, id: &str) -> Result<(), Error> {
        self.until((Kind::Instance, id), 30 * MINUTE, Heed::Nothing, |seen| match seen {
            Seen::Instance(instance) if state(instance) != Some(&InstanceStateName::Terminated) => {
                Verdict::Wait
            }
            _ => Verdict::Done(()),
        })
        .await
    }

    /// Waits until machines can be made of a snapshot.
    ///
    /// # Errors
    /// When EC2 could not complete it.
    pub(crate) async fn completed(&self, id: &str) -> Result<Arc<Snapshot>, Error> {
        self.until((Kind::Snapshot, id), 360 * MINUTE, Heed::Interruption, |seen| {
            let Seen::Snapshot(snapshot) = seen else { return gone(id) };
            match snapshot.state() {
                Some(SnapshotState::Completed) => Verdict::Done(Arc::clone(snapshot)),
                Some(SnapshotState::Error) => Verdict::Failed(reason(
                    None,
                    snapshot.state_message(),
                    SnapshotState::Error.as_str(),
                )),
                _ => Verdict::Wait,
            }
        })
        .await
    }

    /// Waits until an AMI can be launched.
    ///
    /// # Errors
    /// When EC2 could not make it.
    pub(crate) async fn available(&self, id: &str) -> Result<Arc<Image>, Error> {
        self.until((Kind::Image, id), 360 * MINUTE, Heed::Interruption, |seen| {
            let Seen::Image(image) = seen else { return gone(id) };
            match image.state() {
                Some(ImageState::Available) => Verdict::Done(Arc::clone(image)),
                Some(ImageState::Pending | ImageState::Transient) | None => Verdict::Wait,
                Some(other) => Verdict::Failed(reason(image.state_reason(), None, other.as_str())),
            }
        })
        .await
    }
}

/// The state of an instance.
pub(crate) fn state(instance: &Instance) -> Option<&InstanceStateName> {
    instance.state().and_then(|state| state.name())
}

fn gone<T>(id: &str) -> Verdict<T> {
    Verdict::Failed(Refusal::of("", format!("`{id}` is gone: somebody else has removed it")))
}

/// EC2's reason for a state that nobody waited for: `Server.InsufficientInstanceCapacity: …`.
fn reason(reason: Option<&StateReason>, transition: Option<&str>, state: &str) -> Refusal {
    let code = reason.and_then(StateReason::code).unwrap_or_default();
    // The same codes as of a refused call, with who is at fault before them.
    let code = code.trim_start_matches("Server.").trim_start_matches("Client.");
    let message = reason.and_then(StateReason::message).or(transition).unwrap_or_default();
    Refusal::of(code, format!("its state became `{state}`: {message}"))
}
