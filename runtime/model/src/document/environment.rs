use super::LayerNode;
use crate::{Layer, Mode, Op, Owner, Put, Source};
use std::collections::BTreeMap;

/// Gives each command the environment that the steps before it have set.
pub(super) fn lower(layer: Layer, env: &mut BTreeMap<String, String>) -> LayerNode {
    let steps = layer.steps.into_iter().map(|step| {
        let mut node = step.node;
        if !step.env.is_empty() {
            env.extend(step.env);
            node.ops.push(Op::Put(etc_environment(env)));
        }
        for op in &mut node.ops {
            if let Op::Exec(exec) = op {
                for (name, value) in env.iter() {
                    exec.env.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        node
    });
    LayerNode { name: layer.name, origin: layer.origin, steps: steps.collect() }
}

fn etc_environment(env: &BTreeMap<String, String>) -> Put {
    let text = env.iter().map(|(name, value)| format!("{name}=\"{value}\"\n")).collect();
    Put {
        dest: "/etc/environment".into(),
        source: Source::Inline(text),
        mode: Some(Mode(0o644)),
        directory_mode: None,
        owner: Owner::root(),
    }
}
