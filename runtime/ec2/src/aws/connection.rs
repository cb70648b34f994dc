use crate::run::Where;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use kiln_engine::Error;
use std::time::Duration;

/// Tries of one call. With the pauses between them they bridge some minutes of throttling, which is a
/// state of the whole account and ends when others have had their turn.
const TRIES: u32 = 12;

/// Clients of one account and region, found as every AWS tool finds them: environment, profiles, web
/// identity, SSO, the instance's own role; `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_EC2` name another place.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    /// Load balancers and target groups.
    pub(crate) elb: aws_sdk_elasticloadbalancingv2::Client,
    config: SdkConfig,
    region: String,
}

impl Aws {
    /// Reads the configuration. Nothing is asked over the network, but for a region that is named nowhere.
    ///
    /// # Errors
    /// Without a region.
    pub(crate) async fn connect(region: Option<&str>) -> Result<Self, Error> {
        let time = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(40))
            .operation_timeout(Duration::from_secs(600))
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            // Not the adaptive mode: with one call in ten refused it goes down to less than one call a second,
            // and a bake with what cleans up after it took 55 s, not 10.
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(TRIES)
                    .with_initial_backoff(Duration::from_millis(300)),
            )
            .timeout_config(time);
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let config = loader.load().await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(Error::input("no region says where to bake").help(
                "set `AWS_REGION`, or name it in the recipe: `builder: ec2 { region: \"eu-west-1\" }`",
            ));
        };
        Ok(Self {
            ec2: aws_sdk_ec2::Client::new(&config),
            autoscaling: aws_sdk_autoscaling::Client::new(&config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(&config),
            config,
            region,
        })
    }

    /// The region that everything is made in.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// What tells this cloud from another: the region, and where it is when that is not Amazon's.
    pub(crate) fn place(&self) -> Where {
        let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = named("AWS_ENDPOINT_URL_EC2")
            .or_else(|| self.config.endpoint_url().map(ToOwned::to_owned));
        Where(match endpoint {
            Some(endpoint) => format!("{} at {endpoint}", self.region),
            None => self.region.clone(),
        })
    }

    /// A client for parameters, made when it is needed: a bake needs none.
    pub(crate) fn ssm(&self) -> aws_sdk_ssm::Client {
        aws_sdk_ssm::Client::new(&self.config)
    }
}
