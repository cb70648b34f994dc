use super::{diagnostic, plain};
use kiln_engine::DeployPhase;

/// What happens to a deployment, as a line; `None` for what is too much for people.
pub(super) fn line(
    deployment: &str,
    generation: Option<u32>,
    phase: &DeployPhase,
) -> Option<String> {
    Some(match phase {
        DeployPhase::Output { .. } => return None,
        DeployPhase::Launching { why } => {
            let mut text = format!("deploying {deployment}: {}", words(generation, phase));
            why.iter().for_each(|why| text.push_str(&format!("\n          {why}")));
            text
        }
        DeployPhase::Done { action, ms } => {
            let generation = of(generation);
            format!("    done {deployment}: {action}{generation} in {}", plain::time(*ms))
        }
        DeployPhase::Failed { message, origin, help, output } => {
            let mut text = format!("  failed {deployment}\n");
            output.iter().for_each(|line| text.push_str(&format!("  │ {line}\n")));
            text.push_str(&diagnostic::render(message, origin.as_ref(), help.as_deref()));
            text.trim_end().to_owned()
        }
        phase => format!("          {deployment}: {}", words(generation, phase)),
    })
}

/// What is done now, in a few words.
pub(super) fn words(generation: Option<u32>, phase: &DeployPhase) -> String {
    let of = of(generation);
    match phase {
        DeployPhase::Waiting => "waits for somebody else who changes it".into(),
        DeployPhase::Recovering { who } => format!("takes up what {who} has begun{of}"),
        DeployPhase::Preparing => "prepares what stands before the servers".into(),
        DeployPhase::Launching { .. } => format!("brings up{of}"),
        DeployPhase::Starting => format!("servers start{of}"),
        DeployPhase::Attaching => format!("attaches{of}"),
        DeployPhase::Checking => format!("checks health under traffic{of}"),
        DeployPhase::Soaking { ms } => format!("watches for {}{of}", plain::time(*ms)),
        DeployPhase::Draining => format!("drains{of}"),
        DeployPhase::Resizing { to } => format!("resizes to {to}{of}"),
        DeployPhase::Removing => format!("removes{of}"),
        DeployPhase::Undoing { why } => format!("undoes{of}: {why}"),
        DeployPhase::Health { healthy, of: all } => format!("{healthy} of {all} healthy{of}"),
        DeployPhase::Output { line } => line.clone(),
        DeployPhase::Done { action, .. } => format!("{action} done{of}"),
        DeployPhase::Failed { message, .. } => message.clone(),
    }
}

/// Whether a deployment has ended with it.
pub(super) fn is_end(phase: &DeployPhase) -> bool {
    matches!(phase, DeployPhase::Done { .. } | DeployPhase::Failed { .. })
}

/// Whether it happens within a phase, so that a line of its own says it on a terminal.
pub(super) fn is_within(phase: &DeployPhase) -> bool {
    matches!(phase, DeployPhase::Health { .. } | DeployPhase::Output { .. })
}

fn of(generation: Option<u32>) -> String {
    generation.map(|number| format!(" (generation {number})")).unwrap_or_default()
}
