use super::destination::Destinations;
use super::keys::{self, Seen};
use super::template::Vars;
use super::{Inputs, template, value};
use crate::ast::{Body, Pair};
use crate::diag::{self, Sink};
use crate::schema::{self, Head, Input, Kind};
use crate::valid::{Arg, Call, Slot, Step};
use kiln_rules as rules;
use syn::LitStr;

/// Checks a step. One whose head is wrong yields nothing; a wrong option is left out alone.
pub(super) fn check(
    pair: Pair,
    dests: &mut Destinations,
    inputs: &Inputs,
    sink: &mut Sink,
) -> Option<Step> {
    let name = pair.key.to_string();
    let Some(known) = schema::STEPS.iter().find(|step| step.key == name) else {
        let names: Vec<&str> = schema::STEPS.iter().map(|step| step.key).collect();
        sink.error(&pair.key, diag::unknown_step(&name, &names));
        return None;
    };
    let head = sink.nest(|sink| head(known, &pair, inputs, sink));

    let Pair { key, options, .. } = pair;
    let mut seen = Seen::default();
    // Options where there are none have been reported with the head.
    let body = options.filter(|_| known.takes_options()).unwrap_or_else(|| Body::empty(key.span()));
    let calls = match head {
        // What an unfinished step lacks beyond its value is not worth an error of its own yet.
        None if body.entries.is_empty() => Vec::new(),
        _ => keys::all(body, &key, &known.options, &mut seen, inputs, sink),
    };
    let head = head?;

    let source = head.texts.first().and_then(Option::as_ref);
    let path = match known.head {
        Head::Pair(Input::Template) => source,
        _ => seen.text("template"),
    };
    if let Some(path) = path {
        template::check(path, vars(&seen, &calls), inputs, sink);
    }
    let dest = head.texts.last().and_then(Option::as_ref);
    dests.step(&name, source, dest, &seen, inputs, sink);

    Some(match head.own {
        Some(value) => Step::Own { key, value },
        None => Step::Known { key, args: head.args, options: calls },
    })
}

/// What stands after the colon.
struct Checked {
    own: Option<Slot>,
    args: Vec<Arg>,
    /// The same as literals.
    texts: Vec<Option<LitStr>>,
}

fn head(known: &schema::Step, pair: &Pair, inputs: &Inputs, sink: &mut Sink) -> Option<Checked> {
    let name = pair.key.to_string();
    let value = if known.takes_options() { keys::single } else { keys::lone };
    match known.head {
        Head::Nothing => {
            keys::nothing(pair, sink)?;
            Some(Checked { own: None, args: Vec::new(), texts: Vec::new() })
        }
        Head::Own => {
            let value = value(pair, "an expression", sink)?;
            let own = value::slot(&name, "an expression", value, sink)?;
            Some(Checked { own: Some(own), args: Vec::new(), texts: Vec::new() })
        }
        Head::One(kind) => {
            let value = value(pair, kind.expected(), sink)?;
            let texts = vec![value::text(value)];
            let arg = value::check(kind, &name, value, inputs, sink)?;
            Some(Checked { own: None, args: vec![arg], texts })
        }
        Head::Pair(input) => {
            let source = keys::begun(pair, "`\"source\" => \"/destination\"`", sink)?;
            let Some(dest) = pair.target.as_ref().and_then(|target| target.value.as_ref()) else {
                sink.error(&pair.key, diag::missing_destination(&name));
                return None;
            };
            let texts = vec![value::text(source), value::text(dest)];
            let source = value::check(Kind::Input(input), &name, source, inputs, sink);
            let dest = value::check(Kind::Text(rules::destination), &name, dest, inputs, sink);
            Some(Checked { own: None, args: vec![source?, dest?], texts })
        }
    }
}

fn vars<'a>(seen: &Seen, calls: &'a [Call]) -> Vars<'a> {
    let given = calls.iter().find(|call| call.key == "vars").map(|call| &call.arg);
    match given {
        Some(Arg::Map { pairs, .. }) => Vars::Known(pairs),
        None if !seen.has("vars") && !seen.unknown => Vars::Known(&[]),
        _ => Vars::Unknown,
    }
}
