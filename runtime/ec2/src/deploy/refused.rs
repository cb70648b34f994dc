use crate::aws::Refusal;
use kiln::Origin;
use kiln_engine::{Error, ErrorKind};

/// Of a deploy or of a rollback: only the one can bake it.
const NO_IMAGE: &str = "the AMI was deregistered, or is of another region: a deploy bakes it again, a rollback can go to another generation with `--to`";

/// Auto Scaling launches as itself, and the key's policy says who may use it.
const KEY: &str = "a volume is encrypted with a key that Auto Scaling may not use: docs/deployments.md says what its policy needs";

/// Codes, or parts of messages, of refusals that name what a deployment declares, and what to do about each. The
/// first that fits is taken.
const REMEDIES: [(&str, ErrorKind, &str); 29] = [
    ("InvalidAMIID", ErrorKind::Input, NO_IMAGE),
    ("AMI cannot be found", ErrorKind::Input, NO_IMAGE),
    ("The image id", ErrorKind::Input, NO_IMAGE),
    (
        "InvalidSubnet",
        ErrorKind::Input,
        "name subnets of this region: `target: ec2 { subnets: [\"subnet-…\"] }`",
    ),
    (
        "SubnetNotFound",
        ErrorKind::Input,
        "name subnets of this region: `load_balancer: application { subnets: [\"subnet-…\"] }`",
    ),
    (
        "The subnet ID",
        ErrorKind::Input,
        "name subnets of this region: `target: ec2 { subnets: [\"subnet-…\"] }`",
    ),
    (
        "two different Availability Zones",
        ErrorKind::Input,
        "an application load balancer needs subnets in two zones: name them with `subnets`",
    ),
    (
        "cannot be associated with a load balancer",
        ErrorKind::Input,
        "name subnets in zones that take one: `load_balancer: application { subnets: [\"subnet-…\"] }`",
    ),
    (
        "internet gateway",
        ErrorKind::Input,
        "name subnets with a way to the internet, or make it `internal`",
    ),
    (
        "NoInternetGateway",
        ErrorKind::Input,
        "name subnets with a way to the internet, or make it `internal`",
    ),
    (
        "InvalidGroup",
        ErrorKind::Input,
        "name security groups of the subnets' network, or none: then one is made",
    ),
    (
        "InvalidSecurityGroup",
        ErrorKind::Input,
        "name security groups of the subnets' network, or none: then one is made",
    ),
    (
        "security group",
        ErrorKind::Input,
        "name security groups of the subnets' network, or none: then one is made",
    ),
    (
        "CertificateNotFound",
        ErrorKind::Input,
        "name a certificate of this region's Certificate Manager by its ARN",
    ),
    (
        "TargetGroupNotFound",
        ErrorKind::Input,
        "name a target group of this region by its ARN: `aws elbv2 describe-target-groups`",
    ),
    ("nstance profile", ErrorKind::Input, "name an instance profile of this account, not a role"),
    ("nstanceProfile", ErrorKind::Input, "name an instance profile of this account, not a role"),
    (
        "eletion protection",
        ErrorKind::Environment,
        "somebody has protected it: take `deletion_protection.enabled` from it, then do this again",
    ),
    ("KMS", ErrorKind::Environment, KEY),
    ("Client.InternalError", ErrorKind::Environment, KEY),
    (
        "architecture",
        ErrorKind::Input,
        "an arm64 image needs a Graviton type (`t4g.small`), an amd64 image another (`t3.small`)",
    ),
    (
        "not supported in your requested Availability Zone",
        ErrorKind::Input,
        "choose another `instance_type`, or `subnets` in zones that offer it",
    ),
    (
        "InsufficientInstanceCapacity",
        ErrorKind::Environment,
        "EC2 has none free there now: try again later, another `instance_type`, or more `subnets`",
    ),
    (
        "do not have sufficient",
        ErrorKind::Environment,
        "EC2 has none free there now: try again later, another `instance_type`, or more `subnets`",
    ),
    (
        "vCPU",
        ErrorKind::Environment,
        "remove what runs and is not needed, or ask for a higher quota of instances",
    ),
    (
        "InstanceLimitExceeded",
        ErrorKind::Environment,
        "remove what runs and is not needed, or ask for a higher quota of instances",
    ),
    (
        "TooManyTargetGroups",
        ErrorKind::Environment,
        "the account has as many target groups as it may: remove some, or ask for a higher quota",
    ),
    (
        "TooMany",
        ErrorKind::Environment,
        "the account has as many load balancers, or parts of them, as it may: remove some, or ask for a higher quota",
    ),
    (
        "LimitExceeded",
        ErrorKind::Environment,
        "the account has as many of these as it may: remove some, or ask for a higher quota",
    ),
];

/// What to do where EC2's own words do not say it.
const POLICIES: &str = "the account's policies do not allow it: docs/deployments.md lists the actions that a deploy needs";

/// The error of a refusal, for a user who wanted `what`, with the place in the recipe that it is about.
pub(super) fn refused(refusal: &Refusal, what: &str, origin: &Origin) -> Error {
    explained(refusal, what).at(origin)
}

/// Likewise where no recipe is at hand.
pub(super) fn explained(refusal: &Refusal, what: &str) -> Error {
    let told = refusal.error(what);
    let message = told.to_string();
    if ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"].contains(&refusal.code())
    {
        return Error::environment(message).help(POLICIES);
    }
    if refusal.code().contains("xpired") {
        return Error::environment(message)
            .help("the credentials have expired: log in again, then deploy again: it goes on where it was");
    }
    let fits = |(sign, ..): &&(&str, ErrorKind, &str)| {
        refusal.code().contains(sign) || refusal.message().contains(sign)
    };
    match REMEDIES.iter().find(fits) {
        Some((_, kind, help)) => Error::new(*kind, message).help(*help),
        None => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str, message: &str) -> Error {
        let origin = Origin { file: "a.rs".into(), line: 1, column: 2 };
        refused(&Refusal::of(code, message), "cannot launch `web`", &origin)
    }

    #[test]
    fn what_is_declared_wrongly_is_told_with_its_place_and_what_to_do() {
        for (code, message, help) in [
            (
                "InvalidSubnetID.NotFound",
                "The subnet ID 'subnet-1' does not exist",
                "subnets of this region",
            ),
            ("ValidationError", "The image id '[ami-1]' does not exist", "a deploy bakes it again"),
            ("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist", "with `--to`"),
            (
                "ValidationError",
                "At least two subnets in two different Availability Zones must be specified",
                "two zones",
            ),
            ("CertificateNotFound", "Certificate 'arn:x' not found", "certificate"),
            (
                "ValidationError",
                "The following Availability Zones us-west-1a cannot be associated with a load balancer",
                "zones that take one",
            ),
        ] {
            let error = told(code, message);
            assert_eq!(error.kind(), ErrorKind::Input, "{code}");
            assert!(
                error.help_text().unwrap().contains(help),
                "{message}: {:?}",
                error.help_text()
            );
            assert_eq!(error.origin().unwrap().line, 1);
        }
    }

    #[test]
    fn what_the_account_lacks_is_not_the_recipes_fault() {
        for (code, message) in [
            ("TooManyLoadBalancers", "The maximum number of load balancers has been reached"),
            ("ValidationError", "We currently do not have sufficient t3.micro capacity"),
            ("AccessDenied", "not authorized to perform autoscaling:CreateAutoScalingGroup"),
            (
                "OperationNotPermitted",
                "Load balancer 'x' cannot be deleted because deletion protection is enabled",
            ),
            ("LaunchFailed", "Client.InternalError: Client error on launch"),
            (
                "LaunchFailed",
                "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
            ),
        ] {
            let error = told(code, message);
            assert_eq!(error.kind(), ErrorKind::Environment, "{code}");
            assert!(error.help_text().is_some(), "{code}");
        }
    }
}
