use super::{deploy, diagnostic};
use kiln_engine::Event;
use std::io::Write;

/// A line per event, for logs. Output of steps is shown when they fail.
pub(super) fn print(event: &Event, place: &str) {
    if let Some(text) = line(event, place) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// An event in words; `None` for what is too much for people. `place`: where it happens, where there are several.
pub(super) fn line(event: &Event, place: &str) -> Option<String> {
    let at = if place.is_empty() { String::new() } else { format!(" ({place})") };
    Some(match event {
        Event::Started { .. } | Event::Cached { .. } | Event::Output { .. } => return None,
        Event::Building { node, why, .. } => format!("building {node}{at}: {why}"),
        Event::Step { node, index, title, .. } => format!("    step {node}{at} {index}: {title}"),
        Event::Built { node, ms, .. } => format!("   built {node}{at} in {}", time(*ms)),
        Event::Failed { node, message, origin, help, output } => {
            let mut text = format!("  failed {node}{at}\n");
            output.iter().for_each(|line| text.push_str(&format!("  │ {line}\n")));
            text.push_str(&diagnostic::render(message, origin.as_ref(), help.as_deref()));
            text.trim_end().to_owned()
        }
        Event::Skipped { node } => format!(" skipped {node}{at}"),
        Event::Image { image, artifact, .. } => {
            format!("   image {image}{at} {}", artifact.get(..12).unwrap_or(artifact))
        }
        Event::Baked { built, cached, failed } => {
            format!("   baked {place}: {built} built, {cached} cached, {failed} failed")
        }
        Event::Test { image, test, ms, failure: None, .. } => {
            format!("  passed {image}/{test}{at} in {}", time(*ms))
        }
        Event::Test { image, test, failure: Some(failure), origin, output, .. } => {
            let mut text = format!("  failed {image}/{test}{at}\n");
            output.iter().for_each(|line| text.push_str(&format!("  │ {line}\n")));
            let message = format!("test `{test}` of image `{image}` failed: {failure}");
            text.push_str(&diagnostic::render(&message, Some(origin), None));
            text.trim_end().to_owned()
        }
        Event::Warning { message } => format!("warning: {message}"),
        Event::Error { message, origin, help } => {
            diagnostic::render(message, origin.as_ref(), help.as_deref()).trim_end().to_owned()
        }
        Event::Deploy { deployment, generation, phase } => {
            return deploy::line(deployment, *generation, phase);
        }
        Event::Outputs { deployment, outputs } => {
            let lines =
                outputs.iter().map(|(name, value)| format!("{deployment}.{name} = {value}"));
            lines.collect::<Vec<_>>().join("\n")
        }
        Event::Summary { built, cached, failed, deployed: 0, ms } => {
            format!("{built} built, {cached} cached, {failed} failed in {}", time(*ms))
        }
        // Nothing is baked for a rollback, nor for what is destroyed.
        Event::Summary { built: 0, cached: 0, failed, deployed, ms } => {
            format!("{deployed} changed, {failed} failed in {}", time(*ms))
        }
        Event::Summary { built, cached, failed, deployed, ms } => {
            let took = time(*ms);
            format!(
                "{built} built, {cached} cached, {deployed} deployed, {failed} failed in {took}"
            )
        }
    })
}

/// `12 ms`, `3.4 s`.
pub(super) fn time(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}
