use crate::Error;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;
use std::collections::BTreeMap;

/// Renders a template with these variables, in minijinja's syntax.
///
/// The same text and variables give the same result everywhere: no time, no randomness, no other file.
/// Nothing is escaped, whatever the name ends in, and a newline at the end stays.
///
/// # Errors
/// On a mistake in the template and on a variable that is not given: `name:line`, and what is wrong there.
pub fn render(
    template_text: &str,
    name: &str,
    vars: &BTreeMap<String, Value>,
) -> Result<String, Error> {
    rendered(template_text, name, vars).map_err(|error| explain(&error, template_text, name, vars))
}

fn rendered(
    template_text: &str,
    name: &str,
    vars: &BTreeMap<String, Value>,
) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    // It prints the interpreter's state, whose form is no one's to rely on.
    environment.remove_global("debug");
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Without it errors have a line but no range.
    environment.set_debug(true);
    let syntax = environment.syntax().to_builder().keep_trailing_newline(true).build()?;
    environment.set_syntax(syntax);
    environment.template_from_named_str(name, template_text)?.render(Serde(vars))
}

fn explain(
    error: &minijinja::Error,
    template_text: &str,
    name: &str,
    vars: &BTreeMap<String, Value>,
) -> Error {
    let place = match error.line() {
        Some(line) => format!("{name}:{line}"),
        None => name.to_owned(),
    };
    let kind = error.kind().to_string();
    let what = error.detail().unwrap_or(&kind);
    let words = error.range().and_then(|range| template_text.get(range)).unwrap_or("").trim();
    match error.kind() {
        ErrorKind::UndefinedError => {
            let given: Vec<_> = vars.keys().map(|name| format!("`{name}`")).collect();
            let given = if given.is_empty() { "nothing".to_owned() } else { given.join(", ") };
            Error::input(format!("`{place}`: {what}"))
                .help(format!("give it in the `vars` of the template; given: {given}"))
        }
        _ if words.is_empty() => {
            Error::input(format!("`{place}`: {what}")).help("correct the template")
        }
        _ => Error::input(format!("`{place}`: {what} at `{words}`")).help("correct the template"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn check(template: &str, expected: Expect) {
        let vars = [("workers", json!(4)), ("site", json!({"b": 1, "a": [1, "<x>"]}))];
        let vars = vars.map(|(name, value)| (name.to_owned(), value)).into();
        let shown = match render(template, "nginx.html.j2", &vars) {
            Ok(text) => text,
            Err(error) => {
                format!("error: {}\nhelp: {}", error.chain(), error.help_text().unwrap_or("none"))
            }
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn variables_are_put_in_without_escaping_and_the_last_newline_stays() {
        check(
            "{{ workers }} {{ site.a[1] }} {{ site }}\n",
            expect![[r#"
                4 <x> {'a': [1, '<x>'], 'b': 1}
            "#]],
        );
    }

    #[test]
    fn variable_that_is_not_given_is_an_error_with_its_line() {
        check(
            "one\n\n{{ wrokers }}\n",
            expect![[r#"
            error: `nginx.html.j2:3`: `wrokers` is undefined
            help: give it in the `vars` of the template; given: `site`, `workers`"#]],
        );
        check(
            "{% if wrokers %}x{% endif %}",
            expect![[r#"
            error: `nginx.html.j2:1`: `wrokers` is undefined
            help: give it in the `vars` of the template; given: `site`, `workers`"#]],
        );
        check(
            "{% for x in wrokers %}x{% endfor %}",
            expect![[r#"
            error: `nginx.html.j2:1`: `wrokers` is undefined
            help: give it in the `vars` of the template; given: `site`, `workers`"#]],
        );
        check(
            "{{ site.c }}",
            expect![[r#"
            error: `nginx.html.j2:1`: `site.c` is undefined
            help: give it in the `vars` of the template; given: `site`, `workers`"#]],
        );
        check(
            "{{ nope ~ 'x' }}",
            expect![[r#"
            error: `nginx.html.j2:1`: `nope` is undefined
            help: give it in the `vars` of the template; given: `site`, `workers`"#]],
        );
    }

    #[test]
    fn absence_can_be_asked_for() {
        check("{{ nope is defined }} {{ nope | default('x') }}", expect!["False x"]);
    }

    #[test]
    fn syntax_error_has_its_line() {
        check(
            "one\n{% for %}",
            expect![[r#"
            error: `nginx.html.j2:2`: unexpected end of block, expected in at `%}`
            help: correct the template"#]],
        );
        check(
            "{{ workers",
            expect![[r#"
            error: `nginx.html.j2:1`: unexpected end of input, expected end of variable block at `workers`
            help: correct the template"#]],
        );
    }

    #[test]
    fn nothing_of_the_clock_chance_or_other_files_is_reachable() {
        check(
            "{{ now() }}",
            expect![[r#"
            error: `nginx.html.j2:1`: now is unknown at `now()`
            help: correct the template"#]],
        );
        check(
            "{{ site.a | random }}",
            expect![[r#"
            error: `nginx.html.j2:1`: filter random is unknown at `random`
            help: correct the template"#]],
        );
        check(
            "{% include 'x' %}",
            expect![[r#"
            error: `nginx.html.j2:1`: unknown statement include at `include`
            help: correct the template"#]],
        );
        check(
            "{{ debug() }}",
            expect![[r#"
            error: `nginx.html.j2:1`: debug is unknown at `debug()`
            help: correct the template"#]],
        );
    }
}
