use async_trait::async_trait;
use kiln_engine::Error;

/// Says as whom a bucket is asked. Called before each request: it keeps what it has while that is good.
#[async_trait]
pub trait Credentials: std::fmt::Debug + Send + Sync {
    /// What is good now.
    ///
    /// # Errors
    /// When there is none.
    async fn get(&self) -> Result<Credential, Error>;
}

/// As whom.
#[derive(Clone)]
pub struct Credential {
    /// The id of the access key.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// The token of a session.
    pub token: Option<String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("key", &self.key).finish_non_exhaustive()
    }
}
