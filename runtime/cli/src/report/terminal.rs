use super::plain;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kiln_engine::{Event, NodeName};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One line per running node with its step and time, below what has ended.
#[derive(Debug)]
pub(super) struct Terminal {
    lines: MultiProgress,
    running: Mutex<BTreeMap<NodeName, ProgressBar>>,
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

    pub(super) fn event(&self, event: &Event) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Building { node, .. } => {
                let bar = self.lines.add(ProgressBar::new_spinner().with_style(style()));
                bar.set_prefix(node.to_string());
                bar.enable_steady_tick(TICK);
                running.insert(node.clone(), bar);
            }
            Event::Step { node, title, .. } => {
                if let Some(bar) = running.get(node) {
                    bar.set_message(title.clone());
                }
                return;
            }
            Event::Output { .. } => return,
            Event::Built { node, .. } | Event::Failed { node, .. } => {
                if let Some(bar) = running.remove(node) {
                    bar.finish_and_clear();
                    self.lines.remove(&bar);
                }
            }
            _ => {}
        }
        if let Some(text) = plain::line(event) {
            let _ = self.lines.println(text);
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
