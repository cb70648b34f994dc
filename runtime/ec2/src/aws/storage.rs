use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_ec2::config::ProvideCredentials;
use kiln_engine::Error;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// How long before they end credentials are asked for anew.
const EARLIER: Duration = Duration::from_secs(5 * 60);

/// As whom and where S3 is asked, found as every AWS tool finds it: environment, profiles, web identity, SSO, the
/// instance's own role; `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_S3` name another place. It asks S3 nothing itself.
#[derive(Debug)]
pub struct Storage {
    config: SdkConfig,
    kept: Mutex<Option<(Keys, Option<SystemTime>)>>,
}

/// Credentials.
#[derive(Clone)]
pub struct Keys {
    /// The id of the access key.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// The token of a session.
    pub token: Option<String>,
}

impl Storage {
    /// Reads the configuration. Nothing is asked over the network.
    pub async fn find() -> Self {
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).load().await;
        Self { config, kept: Mutex::default() }
    }

    /// Where S3 is when not at Amazon's.
    #[must_use]
    pub fn endpoint(&self) -> Option<String> {
        let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        named("AWS_ENDPOINT_URL_S3").or_else(|| self.config.endpoint_url().map(ToOwned::to_owned))
    }

    /// The region of the environment, where it names one.
    #[must_use]
    pub fn region(&self) -> Option<String> {
        self.config.region().map(ToString::to_string)
    }

    /// What is good now. Kept as long as it is.
    ///
    /// # Errors
    /// When there are none.
    pub async fn keys(&self) -> Result<Keys, Error> {
        let mut kept = self.kept.lock().await;
        if let Some((keys, ends)) = &*kept
            && ends.is_none_or(|ends| SystemTime::now() + EARLIER < ends)
        {
            return Ok(keys.clone());
        }
        let missing = || {
            Error::environment("no credentials of AWS were found")
                .help("set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`")
        };
        let provider = self.config.credentials_provider().ok_or_else(missing)?;
        let found = provider.provide_credentials().await;
        let found = found.map_err(|error| missing().caused_by(error))?;
        let keys = Keys {
            key: found.access_key_id().to_owned(),
            secret: found.secret_access_key().to_owned(),
            token: found.session_token().map(ToOwned::to_owned),
        };
        *kept = Some((keys.clone(), found.expiry()));
        Ok(keys)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("key", &self.key).finish_non_exhaustive()
    }
}
