use std::error::Error;
use std::fmt;

/// Why a call of S3 failed, without how it was made: S3's own code and words where it has answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// As in S3's list of error codes; empty when nothing answered, or not in its way.
    code: String,
    message: String,
}

impl Refusal {
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut innermost = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        let text = innermost.to_string();
        let element = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            rest.split_once(&format!("</{name}>")).map(|(value, _)| value.to_owned())
        };
        match (element("Code"), element("Message")) {
            (Some(code), message) => Self { code, message: message.unwrap_or_default() },
            (None, _) => Self { code: String::new(), message: text },
        }
    }

    pub(super) fn is_no_bucket(&self) -> bool {
        self.code == "NoSuchBucket"
    }

    pub(super) fn help(&self) -> &'static str {
        match self.code.as_str() {
            "NoSuchBucket" => "make the bucket, or name another place with `--state`",
            "AccessDenied" => {
                "these credentials need `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject` and \
                 `s3:ListBucket` there"
            }
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken" => {
                "look at the credentials: `AWS_PROFILE`, `AWS_ACCESS_KEY_ID`, `aws sso login`"
            }
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException" => {
                "say the bucket's region: `s3://bucket/prefix?region=eu-west-1`"
            }
            "" if self.message.contains("credentials") => {
                "log in: `aws configure`, `aws sso login`, or set `AWS_PROFILE`"
            }
            _ => {
                "look at the bucket, its region and `AWS_ENDPOINT_URL`; `--state` names another place"
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.trim_end_matches('.');
        let mut letters = message.chars();
        let first = letters.next().map(|c| c.to_ascii_lowercase()).into_iter();
        first.chain(letters).try_for_each(|c| write!(f, "{c}"))?;
        match self.code.as_str() {
            "" => Ok(()),
            code => write!(f, " (`{code}`)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_s3_says_is_kept_and_how_it_was_asked_is_not() {
        let answer = "Server returned non-2xx status code: 404 Not Found: <Error><Code>NoSuchBucket</Code>\
                      <Message>The specified bucket does not exist.</Message></Error>";
        let refusal = Refusal::of(&std::io::Error::other(answer));
        assert_eq!(refusal.to_string(), "the specified bucket does not exist (`NoSuchBucket`)");
        assert!(refusal.is_no_bucket() && refusal.help().contains("make the bucket"));
        let refusal = Refusal::of(&std::io::Error::other("connection refused"));
        assert_eq!(refusal.to_string(), "connection refused");
    }
}
