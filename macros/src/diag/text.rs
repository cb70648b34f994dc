//! The texts: what was found, what is expected, what to do. Lowercase, no full stop, names in backticks.

use kiln_rules::{Fault, nearest};
use std::fmt::Display;

fn fault(message: String, help: Option<String>) -> Fault {
    Fault { message, help }
}

/// The beginning of what was found.
fn excerpt(found: impl Display) -> String {
    const WIDTH: usize = 40;
    let text = found.to_string();
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{} …", text[..end].trim_end()),
        None => text,
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn suggest(found: &str, known: &[&str], what: &str) -> String {
    match nearest(found, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{what}: {}", list(known)),
    }
}

pub(crate) fn unknown_key(found: &str, of: &str, known: &[&str]) -> Fault {
    if known.is_empty() {
        return fault(format!("{of} has no options"), Some(format!("remove `{found}`")));
    }
    fault(format!("unknown key `{found}` in {of}"), Some(suggest(found, known, "known keys")))
}

pub(crate) fn unknown_step(found: &str, known: &[&str]) -> Fault {
    fault(format!("unknown step `{found}`"), Some(suggest(found, known, "known steps")))
}

/// A word that is none of those that a key takes. `instead` is what to do where it means something elsewhere.
pub(crate) fn unknown_kind(
    what: &str,
    found: &str,
    known: &[&str],
    instead: Option<&str>,
) -> Fault {
    let help = match instead {
        Some(instead) => instead.into(),
        None => suggest(found, known, &format!("known {}", plural(what))),
    };
    fault(format!("unknown {what} `{found}`"), Some(help))
}

fn plural(what: &str) -> String {
    match what.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{what}s"),
    }
}

pub(crate) fn unknown_word(key: &str, found: &str, known: &[&str]) -> Fault {
    fault(format!("unknown {key} `{found}`"), Some(suggest(found, known, "expected one of")))
}

pub(crate) fn unknown_block(found: &str) -> Fault {
    let known = ["layer", "test"];
    fault(format!("unknown block `{found}`"), Some(suggest(found, &known, "known blocks")))
}

pub(crate) fn misplaced(found: &str, of: &str, help: impl Into<String>) -> Fault {
    fault(format!("`{found}` does not belong in {of}"), Some(help.into()))
}

pub(crate) fn goes_with(found: &str, of: &str, words: &[&str]) -> Fault {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    misplaced(found, of, format!("`{found}` goes with {}", words.join(" and ")))
}

pub(crate) fn duplicate_key(key: &str, of: &str) -> Fault {
    fault(format!("`{key}` is given twice in {of}"), Some("remove one of them".into()))
}

pub(crate) fn duplicate_name(kind: &str, name: &str, image: &str) -> Fault {
    fault(
        format!("image `{image}` has two {kind}s named `{name}`"),
        Some(format!("give each {kind} a name of its own")),
    )
}

pub(crate) fn duplicate_destination(dest: &str, step: &str, layer: &str) -> Fault {
    fault(
        format!("`{dest}` is written twice, first by `{step}` in layer `{layer}`"),
        Some("remove one of the steps, or write to another path".into()),
    )
}

pub(crate) fn missing_base(image: &str) -> Fault {
    fault(
        format!("image `{image}` has no `base`"),
        Some("start from `debian(\"bookworm\")`, another image, or `scratch()`".into()),
    )
}

pub(crate) fn incomplete_deployment(name: &str, missing: &[&str]) -> Fault {
    let words: Vec<String> = missing.iter().map(|key| format!("no `{key}`")).collect();
    let examples = missing.iter().map(|key| match *key {
        "target" => "`target: ec2 { region: \"eu-west-1\" }`",
        _ => "`image: …`, the recipe that its servers start from",
    });
    let examples: Vec<&str> = examples.collect();
    fault(
        format!("deployment `{name}` has {}", words.join(" and ")),
        Some(format!("add {}", examples.join(", and "))),
    )
}

pub(crate) fn missing_one_of(of: &str, keys: &[&str]) -> Fault {
    match keys {
        [] => fault(format!("{of} is empty"), None),
        [only] => fault(format!("{of} needs `{only}`"), None),
        [before @ .., last] => {
            let words = format!("{} and `{last}`", list(before));
            fault(format!("{of} needs exactly one of {words}"), None)
        }
    }
}

pub(crate) fn exclusive(found: &str, other: &str, of: &str) -> Fault {
    fault(format!("`{found}` excludes `{other}` in {of}"), Some("remove one of them".into()))
}

pub(crate) fn needs(found: &str, other: &str, of: &str) -> Fault {
    fault(
        format!("`{found}` goes with `{other}` in {of}"),
        Some(format!("add `{other}`, or remove `{found}`")),
    )
}

pub(crate) fn missing_value(key: &str, expected: &str) -> Fault {
    fault(format!("expected {expected} after `{key}:`, found nothing"), None)
}

pub(crate) fn missing_colon(key: &str, expected: &str) -> Fault {
    fault(format!("expected `:` and {expected} after `{key}`"), None)
}

pub(crate) fn missing_comma() -> Fault {
    fault("expected `,` after this".into(), None)
}

pub(crate) fn missing_destination(key: &str) -> Fault {
    let help = format!("write `{key}: \"source\" => \"/destination\"`");
    fault(format!("`{key}` has no destination"), Some(help))
}

pub(crate) fn unexpected_destination(key: &str) -> Fault {
    fault(format!("`{key}` takes one value, found `=>`"), None)
}

pub(crate) fn unexpected_options(key: &str) -> Fault {
    fault(
        format!("`{key}` has no options"),
        Some("remove the braces; a struct literal as a value needs parentheses around it".into()),
    )
}

pub(crate) fn unexpected_value(key: &str) -> Fault {
    fault(format!("`{key}` takes no value"), Some(format!("write `{key},`")))
}

pub(crate) fn quoted_key(name: &str) -> Fault {
    fault(format!("key `{name}` is in quotes"), Some(format!("write `{name}:`")))
}

pub(crate) fn unexpected_tokens(found: impl Display, expected: &str) -> Fault {
    fault(format!("expected {expected}, found `{}`", excerpt(found)), None)
}

pub(crate) fn after_recipe(found: impl Display, by: &str) -> Fault {
    let one = if by.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    fault(
        format!("expected the end of the recipe, found `{}`", excerpt(found)),
        Some(format!("each recipe has {one} `{by}` of its own")),
    )
}

pub(crate) fn wrong_type(key: &str, expected: &str, found: &str) -> Fault {
    fault(format!("expected {expected} for `{key}`, found {found}"), None)
}

pub(crate) fn empty_list(key: &str) -> Fault {
    fault(format!("`{key}` is empty"), Some("name at least one, or remove it".into()))
}

pub(crate) fn after_dot() -> Fault {
    fault("expected a method or a field after `.`".into(), None)
}

pub(crate) fn decimal_mode(digits: &str) -> Fault {
    let octal = u32::from_str_radix(digits, 8).is_ok_and(|mode| mode <= 0o7777);
    let help = if octal { format!("write `0o{digits}`") } else { "write it as in `0o644`".into() };
    fault(format!("mode `{digits}` is not written in octal"), Some(help))
}

pub(crate) fn missing_name(keyword: &str) -> Fault {
    fault(
        format!("expected a name after `{keyword}`"),
        Some(format!("write `{keyword} name {{ … }}`")),
    )
}

pub(crate) fn missing_braces(of: &str) -> Fault {
    fault(format!("expected `{{ … }}` after {of}"), None)
}

pub(crate) fn empty_layer(name: &str) -> Fault {
    fault(format!("layer `{name}` has no steps"), Some("add a step, or remove the layer".into()))
}

pub(crate) fn missing_input(path: &str, near: Option<String>) -> Fault {
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "inputs are relative to the directory of the recipes' `Cargo.toml`".into(),
    };
    fault(format!("input `{path}` does not exist"), Some(help))
}

pub(crate) fn wrong_input(path: &str, expected: &str, found: &str) -> Fault {
    fault(format!("input `{path}` is {found}, expected {expected}"), None)
}

pub(crate) fn unreadable_input(path: &str, why: impl Display) -> Fault {
    fault(format!("input `{path}` cannot be read: {why}"), None)
}

pub(crate) fn template_syntax(path: &str, line: Option<usize>, why: &str) -> Fault {
    let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
    fault(format!("template `{path}`{line}: {why}"), None)
}

pub(crate) fn variable_not_given(path: &str, name: &str, near: Option<String>) -> Fault {
    let help = match near {
        Some(near) => format!("`{near}` is given and not used; did you mean `{name}`?"),
        None => format!("add `vars: {{ {name}: … }}`"),
    };
    fault(format!("template `{path}` uses `{name}`, which is not given"), Some(help))
}

pub(crate) fn variable_not_used(path: &str, name: &str) -> String {
    format!("`{name}` is given, but template `{path}` never uses it")
}
