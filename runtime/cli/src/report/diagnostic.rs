use kiln::Origin;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
    SourceSpan,
};
use std::fmt;
use std::io::IsTerminal;

/// A message with the line of the recipe that it is about.
#[derive(Debug)]
struct Shown<'a> {
    message: &'a str,
    help: Option<&'a str>,
    source: Option<(NamedSource<String>, SourceSpan)>,
}

/// The message as text, with the recipe's line underlined when it can be read.
pub(super) fn render(message: &str, origin: Option<&Origin>, help: Option<&str>) -> String {
    let shown = Shown { message, help, source: origin.and_then(source) };
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(0).with_width(100);
    if handler.render_report(&mut text, &shown).is_err() {
        text = format!("error: {message}\n");
    }
    // Without the source the origin would be lost.
    if let (None, Some(origin)) = (&shown.source, origin) {
        text.push_str(&format!("  at {origin}\n"));
    }
    text
}

fn source(origin: &Origin) -> Option<(NamedSource<String>, SourceSpan)> {
    let text = std::fs::read_to_string(&origin.file).ok()?;
    let line_at = |number: u32| usize::try_from(number).ok()?.checked_sub(1);
    let line = line_at(origin.line)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let column = text[start..].char_indices().nth(line_at(origin.column)?)?.0;
    let token = &text[start + column..];
    let length = token.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(token.len());
    let span = SourceSpan::from((start + column, length.max(1)));
    Some((NamedSource::new(&origin.file, text).with_language("Rust"), span))
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.help.map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|(source, _)| source as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.source.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(
            Some("here".into()),
            *span,
        ))))
    }
}
