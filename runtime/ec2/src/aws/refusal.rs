use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use kiln_engine::{Error, ErrorKind};

/// Why a call failed: EC2's code and words, or what kept the call from reaching it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// As in EC2's list of error codes; empty when nothing answered.
    code: String,
    message: String,
}

impl Refusal {
    /// EC2's code for it; empty when nothing answered.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// EC2's words.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// A refusal of our own making: an object that ended in a state that EC2 reports as failed.
    pub(crate) fn of(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// Whether it names something that is not there, or that reads do not show yet.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code.contains("NotFound") || self.code == "InvalidAMIID.Unavailable"
    }

    /// Whether it is about one of these objects.
    pub(crate) fn names(&self, ids: &[&str]) -> bool {
        ids.iter().any(|id| self.message.contains(id))
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub(crate) fn is_passing(&self) -> bool {
        self.code.is_empty() && !self.is_of_credentials() || PASSING.contains(&self.code.as_str())
    }

    /// The error that it is for a user who wanted `what`: `cannot launch an instance`.
    pub(crate) fn error(&self, what: &str) -> Error {
        let (kind, help) = self.remedy();
        let message = if self.code.is_empty() {
            format!("{what}: {}", self.message)
        } else {
            format!("{what}: {} (`{}`)", in_our_style(&self.message), self.code)
        };
        let error = Error::new(kind, message);
        if help.is_empty() { error } else { error.help(help) }
    }

    fn is_of_credentials(&self) -> bool {
        self.message.contains("credential")
    }

    /// Whose fault it is, and what to do; the text is empty where EC2's own words say it all.
    fn remedy(&self) -> (ErrorKind, &'static str) {
        use ErrorKind::{Environment, Input};
        match self.code.as_str() {
            "" if self.is_of_credentials() => (
                Environment,
                "log in: `aws configure`, `aws sso login`, or set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`",
            ),
            "" if self.message.contains("dns") || self.message.contains("lookup") => (
                Environment,
                "is the region's name right, and does this machine reach the network?",
            ),
            "" => (Environment, "check the network, and `AWS_ENDPOINT_URL` where it is set"),
            "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "TokenRefreshRequired" => (
                Environment,
                "the credentials have expired: log in again, then bake again; layers that are done are kept",
            ),
            "AuthFailure"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException"
            | "MissingAuthenticationToken" => (
                Environment,
                "the credentials are not valid here: `aws sts get-caller-identity` shows whose they are",
            ),
            "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => (
                Environment,
                "the account's policies do not allow it: docs/ec2.md lists the actions that a bake needs",
            ),
            "OptInRequired" | "PendingVerification" | "Blocked" => {
                (Environment, "the account is not enabled for this: look at its console")
            }
            "InvalidAMIID.NotFound" | "InvalidAMIID.Unavailable" | "InvalidAMIID.Malformed" => {
                (Input, "it was deregistered, or is of another region: run `cargo xtask update`")
            }
            "InvalidSubnetID.NotFound" | "InvalidSubnet" => {
                (Input, "name a subnet of this region: `builder: ec2 { subnet: \"subnet-…\" }`")
            }
            "InvalidGroup.NotFound"
            | "InvalidGroupId.Malformed"
            | "InvalidSecurityGroupID.NotFound" => (
                Input,
                "name a security group of the subnet's network, or none: then a temporary one is made",
            ),
            "VPCIdNotSpecified" | "DefaultVpcDoesNotExist" | "NoDefaultVpc" | "MissingInput" => (
                Input,
                "name a subnet to bake in: `builder: ec2 { subnet: \"subnet-…\" }`, or make a default network: `aws ec2 create-default-vpc`",
            ),
            "Unsupported" | "UnsupportedOperation" => {
                (Input, "choose another `instance_type`, or a `subnet` in a zone that offers it")
            }
            "InvalidParameterValue" if self.message.to_lowercase().contains("architecture") => (
                Input,
                "an arm64 image needs a Graviton type (`t4g.small`), an amd64 image another (`t3.small`)",
            ),
            "InvalidParameterValue" | "InvalidParameterCombination"
                if self.message.contains("nstance") && self.message.contains("ype") =>
            {
                (Input, "`aws ec2 describe-instance-type-offerings` lists the types of a region")
            }
            "InvalidParameterValue" if self.message.contains("iamInstanceProfile") => {
                (Input, "name an instance profile of this account, not a role")
            }
            "InsufficientInstanceCapacity" | "InsufficientHostCapacity" => (
                Environment,
                "EC2 has none free there now: try again later, another `instance_type`, or another `subnet`",
            ),
            "InstanceLimitExceeded" | "VcpuLimitExceeded" | "MaxSpotInstanceCountExceeded" => (
                Environment,
                "bake fewer images at once with `--jobs`, end instances, or ask for a higher quota",
            ),
            "SnapshotLimitExceeded"
            | "ResourceCountExceeded"
            | "AMIQuotaExceeded"
            | "SecurityGroupLimitExceeded"
            | "VolumeLimitExceeded" => (
                Environment,
                "`cargo xtask gc` removes what is not wanted any more; or ask for a higher quota",
            ),
            "RequestLimitExceeded" | "Throttling" | "ThrottlingException" => {
                (Environment, "the account makes too many calls: try again in some minutes")
            }
            _ => (Environment, ""),
        }
    }
}

/// EC2's codes for what passes by itself. Asked again before by the client; what waits asks longer.
const PASSING: [&str; 8] = [
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "EC2ThrottledException",
    "InternalError",
    "InternalFailure",
    "ServiceUnavailable",
    "Unavailable",
];

impl<E, R> From<SdkError<E, R>> for Refusal
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        if let Some(code) = error.code() {
            let message = error.message().unwrap_or("it gave no reason").to_owned();
            return Self { code: code.to_owned(), message };
        }
        let mut causes: Vec<String> = Vec::new();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            let text = error.to_string();
            if !causes.contains(&text) {
                causes.push(text);
            }
            cause = error.source();
        }
        if causes.is_empty() {
            causes.push(error.to_string());
        }
        Self { code: String::new(), message: causes.join(": ") }
    }
}

/// EC2's sentences begin with a capital and end with a full stop; ours do not.
fn in_our_style(message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    let mut letters = message.chars();
    match (letters.next(), message.chars().nth(1)) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_error_in_our_words_with_ec2s_code_and_a_remedy() {
        let refusal = Refusal::of("ExpiredToken", "The provided token has expired.");
        let error = refusal.error("cannot look for layers");
        assert_eq!(
            error.to_string(),
            "cannot look for layers: the provided token has expired (`ExpiredToken`)"
        );
        assert!(error.help_text().unwrap().contains("log in again"));
        assert_eq!(error.kind(), ErrorKind::Environment);
    }

    #[test]
    fn what_the_recipe_names_wrongly_is_the_recipes_fault() {
        for (code, message) in [
            ("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist"),
            ("InvalidParameterValue", "Invalid value 't9.huge' for InstanceType."),
            ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-1' does not exist"),
        ] {
            let error = Refusal::of(code, message).error("cannot launch");
            assert_eq!(error.kind(), ErrorKind::Input, "{code}");
            assert!(error.help_text().is_some(), "{code}");
        }
    }

    #[test]
    fn what_passes_is_told_from_what_stays() {
        assert!(Refusal::of("RequestLimitExceeded", "").is_passing());
        assert!(Refusal::of("", "connection reset").is_passing());
        assert!(!Refusal::of("", "no providers in chain provided credentials").is_passing());
        assert!(!Refusal::of("ExpiredToken", "").is_passing());
    }
}
