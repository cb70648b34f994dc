use super::{deploy, plain};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kiln_engine::{DeployPhase, Event, NodeName};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One line per running node or deployment with its step and time, below what has ended.
#[derive(Debug)]
pub(super) struct Terminal {
    lines: MultiProgress,
    /// By what runs: a layer, or a deployment.
    running: Mutex<BTreeMap<String, ProgressBar>>,
}

const TICK: Duration = Duration::from_millis(100);

impl Terminal {
    pub(super) fn new() -> Self {
        Self { lines: MultiProgress::new(), running: Mutex::default() }
    }

    /// Prints without disturbing the running lines.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.lines.suspend(print);
    }

    pub(super) fn event(&self, event: &Event, place: &str) {
        let name = |node: &NodeName| match place {
            "" => node.to_string(),
            place => format!("{node} ({place})"),
        };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Building { node, .. } => {
                running.insert(name(node), self.spinner(&name(node)));
            }
            Event::Step { node, title, .. } => {
                if let Some(bar) = running.get(&name(node)) {
                    bar.set_message(title.clone());
                }
                return;
            }
            Event::Deploy { phase: DeployPhase::Output { .. }, .. } => return,
            Event::Deploy { deployment, phase, .. } if deploy::is_end(phase) => {
                self.ended(running.remove(deployment));
            }
            Event::Deploy { deployment, generation, phase } => {
                let bar =
                    running.entry(deployment.clone()).or_insert_with(|| self.spinner(deployment));
                bar.set_message(deploy::words(*generation, phase));
                if deploy::is_within(phase) {
                    return;
                }
            }
            Event::Output { .. } => return,
            Event::Built { node, .. } | Event::Failed { node, .. } => {
                self.ended(running.remove(&name(node)));
            }
            _ => {}
        }
        if let Some(text) = plain::line(event, place) {
            let _ = self.lines.println(text);
        }
    }

    fn spinner(&self, name: &str) -> ProgressBar {
        let bar = self.lines.add(ProgressBar::new_spinner().with_style(style()));
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(TICK);
        bar
    }

    fn ended(&self, bar: Option<ProgressBar>) {
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.lines.remove(&bar);
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
