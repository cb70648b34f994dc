use super::Keys;

/// What a key takes whose value is a word with keys of its own: `health: http { … }`. In place of the word stands any
/// expression.
pub(crate) struct Words {
    /// What each of them is, for messages.
    pub(crate) what: &'static str,
    /// What is expected, for messages.
    pub(crate) expected: &'static str,
    /// The module of `kiln` that has a function of each name; `None`: `kiln` itself.
    pub(crate) module: Option<&'static str>,
    /// All of them.
    pub(crate) words: &'static [Word],
    /// The keys beside an expression of the user's own, whichever it is.
    pub(crate) own: Keys,
    /// Words that mean something elsewhere, each with what to do here.
    pub(crate) refused: &'static [(&'static str, &'static str)],
}

/// One word, with the methods of what its function returns.
pub(crate) struct Word {
    pub(crate) name: &'static str,
    pub(crate) keys: Keys,
}

impl Words {
    /// The word of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&'static Word> {
        self.words.iter().find(|word| word.name == name)
    }

    /// All names.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.words.iter().map(|word| word.name).collect()
    }

    /// The words that have a key.
    pub(crate) fn with_key(&self, key: &str) -> Vec<&'static str> {
        let with = self.words.iter().filter(|word| word.keys.get(key).is_some());
        with.map(|word| word.name).collect()
    }
}
