use crate::Fault;

/// How many tags a recipe may give: AWS takes 50 on a resource, and Kiln marks what it makes with its own, an Auto
/// Scaling group with 16.
const MOST_TAGS: usize = 34;

/// The most bytes of user data that EC2 takes, before base64 (`RunInstances`).
const MOST_USER_DATA: usize = 16 * 1024;

/// How long a key may be: what load balancers take, which is one less than elsewhere.
const LONGEST: usize = 127;

/// What a key may hold beside letters, digits and spaces.
const SIGNS: &str = "+-=._:/@";

/// The key of a tag, as all take it that Kiln tags: what EC2 takes is more than load balancers do
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-tags.html>, "Restrictions").
///
/// # Errors
/// When it is empty, longer than 127 characters, holds anything but letters, digits, spaces and `+-=._:/@`, begins or
/// ends with a space, or starts with `aws:` or `kiln:`.
pub fn tag_key(text: &str) -> Result<(), Fault> {
    let lower = text.to_ascii_lowercase();
    for (prefix, whose) in [("aws:", "AWS"), ("kiln:", "Kiln")] {
        if lower.starts_with(prefix) {
            return Err(Fault::new(format!("tag `{text}` starts with `{prefix}`"))
                .help(format!("these tags are {whose}'s own: choose another name")));
        }
    }
    let is_short = !text.is_empty() && text.chars().count() <= LONGEST;
    if !is_short || text.trim() != text || !text.chars().all(is_taken) {
        return Err(Fault::new(format!("malformed tag `{}`", begin(text))).help(format!(
            "a tag has 1 to {LONGEST} characters: letters, digits, spaces within, and `{SIGNS}`"
        )));
    }
    Ok(())
}

/// The value of a tag. On load balancers, which take fewer letters, the others become `-`.
///
/// # Errors
/// When it is longer than 256 characters or holds control characters.
pub fn tag_value(key: &str, text: &str) -> Result<(), Fault> {
    if text.chars().count() <= 256 && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Fault::new(format!("malformed value of tag `{key}`"))
        .help("a value has at most 256 characters, none of them a control character"))
}

/// In the key of a tag. A tab is a control character, no space.
fn is_taken(letter: char) -> bool {
    let is_space = letter.is_whitespace() && !letter.is_control();
    letter.is_alphanumeric() || is_space || SIGNS.contains(letter)
}

/// How many tags there are.
///
/// # Errors
/// When they are more than EC2 takes beside Kiln's own.
pub fn tags(count: usize) -> Result<(), Fault> {
    if count <= MOST_TAGS {
        return Ok(());
    }
    Err(Fault::new(format!("{count} tags are too many, expected at most {MOST_TAGS}"))
        .help("EC2 takes 50 on a resource, and Kiln needs some of them"))
}

/// What is handed to an instance when it starts.
///
/// # Errors
/// When it is longer than EC2 takes: 16 KiB.
pub fn user_data(text: &str) -> Result<(), Fault> {
    if text.len() <= MOST_USER_DATA {
        return Ok(());
    }
    Err(Fault::new(format!("`user_data` has {} bytes, EC2 takes {MOST_USER_DATA}", text.len()))
        .help("put what it does into a layer, or let it fetch the rest"))
}

fn begin(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_judged() {
        for good in ["Name", "cost:center", "a b/c", &"k".repeat(127), "Straße", "a+b-c=d._:/@"] {
            assert_eq!(tag_key(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "aws:name",
            "AWS:x",
            "kiln:key",
            "a\nb",
            &"k".repeat(128),
            "a&b",
            "cost,center",
            " a",
            "a ",
        ] {
            assert!(tag_key(bad).is_err(), "{bad}");
        }
        assert!(tag_value("a", "").is_ok() && tag_value("a", &"v".repeat(256)).is_ok());
        assert!(tag_value("a", &"v".repeat(257)).is_err() && tag_value("a", "\t").is_err());
    }

    #[test]
    fn tags_leave_room_for_ours() {
        assert!(tags(MOST_TAGS).is_ok() && tags(MOST_TAGS + 1).is_err());
    }

    #[test]
    fn user_data_ends_at_16_kib() {
        assert_eq!(user_data(&"x".repeat(16384)), Ok(()));
        assert!(user_data(&"x".repeat(16385)).is_err());
    }
}
