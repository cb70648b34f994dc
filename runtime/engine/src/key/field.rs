use crate::{CacheKey, Digest};
use serde::{Deserialize, Serialize};

/// The version of this encoding. Every change of what a key covers, or how, changes it.
const FORMAT: &str = "kiln key 1";

/// One thing that a key covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The op it belongs to, by its position in the node; 0 for a base.
    pub op: u32,
    /// What it is: `dest`, `mode`, `tree`.
    pub name: String,
    /// Its value; for what is large, its digest.
    pub value: String,
    /// The user's words for it, for `explain` alone: the path of an input. Not part of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}

/// What a node's own definition puts into its key, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    list: Vec<Field>,
    op: u32,
}

impl Fields {
    /// Begins the next op.
    pub(super) fn next_op(&mut self, kind: &str) {
        self.op += 1;
        self.put("op", kind);
    }

    pub(super) fn put(&mut self, name: &str, value: impl ToString) {
        self.list.push(Field {
            op: self.op,
            name: name.into(),
            value: value.to_string(),
            shown: None,
        });
    }

    /// A large value, or the content of an input, by its digest.
    pub(super) fn put_digest(&mut self, name: &str, digest: Digest, shown: &str) {
        let shown = Some(shown.to_owned());
        self.list.push(Field { op: self.op, name: name.into(), value: digest.to_string(), shown });
    }

    /// The fields.
    #[must_use]
    pub fn into_vec(self) -> Vec<Field> {
        self.list
    }
}

/// What a node stands on, as its key sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parent {
    /// Nothing: the node is a base.
    None,
    /// The output of the parent.
    Output(Digest),
    /// The key of the parent, on a driver without output digests.
    Key(CacheKey),
}

/// The key of a node: blake3 over the length-prefixed fields of its definition, what it stands on, the
/// driver's artifact format and the architecture.
#[must_use]
pub fn cache_key(format: &str, architecture: &str, parent: &Parent, fields: &[Field]) -> CacheKey {
    let mut encoder = Encoder(blake3::Hasher::new());
    encoder.text(FORMAT);
    encoder.text(format);
    encoder.text(architecture);
    match parent {
        Parent::None => encoder.text("none"),
        Parent::Output(digest) => {
            encoder.text("output");
            encoder.bytes(digest.as_bytes());
        }
        Parent::Key(key) => {
            encoder.text("key");
            encoder.bytes(key.0.as_bytes());
        }
    }
    encoder.number(fields.len() as u64);
    for Field { op, name, value, shown: _ } in fields {
        encoder.number(u64::from(*op));
        encoder.text(name);
        encoder.text(value);
    }
    CacheKey(encoder.0.finalize().into())
}

/// Length-prefixed, so that no two lists of values have one encoding.
struct Encoder(blake3::Hasher);

impl Encoder {
    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(op: u32, name: &str, value: &str) -> Field {
        Field { op, name: name.into(), value: value.into(), shown: None }
    }

    fn key(fields: &[Field]) -> CacheKey {
        cache_key("overlay 1", "amd64", &Parent::None, fields)
    }

    #[test]
    fn a_golden_key_changes_only_with_the_format() {
        let fields = [field(1, "op", "exec"), field(1, "shell", "nginx -t")];
        expect_test::expect!["f80ce3eddf69aa1b2c139da60ad86e97d3389ba092f0a155f40719f6664c32db"]
            .assert_eq(&key(&fields).to_string());
    }

    #[test]
    fn words_never_run_together() {
        assert_ne!(key(&[field(1, "a-b", "c")]), key(&[field(1, "a", "b-c")]));
        assert_ne!(key(&[field(1, "a", "b"), field(1, "c", "d")]), key(&[field(1, "a", "bcd")]));
    }

    #[test]
    fn what_a_node_stands_on_moves_its_key() {
        let digest = Digest::of(b"x");
        let on = |parent| cache_key("overlay 1", "amd64", &parent, &[]);
        let keys =
            [on(Parent::None), on(Parent::Output(digest)), on(Parent::Key(CacheKey(digest)))];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        assert_ne!(on(Parent::None), cache_key("overlay 2", "amd64", &Parent::None, &[]));
        assert_ne!(on(Parent::None), cache_key("overlay 1", "arm64", &Parent::None, &[]));
    }

    #[test]
    fn the_users_words_do_not_move_a_key() {
        let mut shown = field(1, "file", "00");
        shown.shown = Some("site/index.html".into());
        assert_eq!(key(&[shown]), key(&[field(1, "file", "00")]));
    }

    proptest! {
        #[test]
        fn different_fields_have_different_keys(
            a in prop::collection::vec((0u32..3, "[ab=\0]{0,3}", "[ab=\0]{0,3}"), 0..4),
            b in prop::collection::vec((0u32..3, "[ab=\0]{0,3}", "[ab=\0]{0,3}"), 0..4),
        ) {
            let list = |fields: &[(u32, String, String)]| -> Vec<Field> {
                fields.iter().map(|(op, name, value)| field(*op, name, value)).collect()
            };
            prop_assert_eq!(a == b, key(&list(&a)) == key(&list(&b)));
        }
    }
}
