/// The nearest of the known words, if it is near enough to be meant: what is only begun, or misspelled.
pub fn nearest<S: AsRef<str>>(found: &str, known: impl IntoIterator<Item = S>) -> Option<String> {
    known
        .into_iter()
        .map(|word| (distance(found, word.as_ref()), word))
        .filter(|(distance, word)| *distance <= 1 + word.as_ref().len().min(found.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word.as_ref().to_owned())
}

fn distance(found: &str, word: &str) -> usize {
    if found.len() > 1 && word.starts_with(found) {
        return 0;
    }
    strsim::damerau_levenshtein(found, word)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn what_is_begun_or_misspelled_is_recognised_and_nothing_else() {
        let known = ["copy", "template", "service"];
        assert_eq!(nearest("cpoy", known).as_deref(), Some("copy"));
        assert_eq!(nearest("templ", known).as_deref(), Some("template"));
        assert_eq!(nearest("frobnicate", known), None);
    }
}
