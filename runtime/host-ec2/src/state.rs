use async_trait::async_trait;
use kiln_ec2::{Keys, Storage};
use kiln_engine::Error;
use kiln_engine::driver::State;
use kiln_state::{Address, Bucket, Credential, Credentials, Shared};
use std::sync::Arc;
use std::time::Duration;

/// A project's part of the state at an address, asked as every AWS tool would ask where it is a bucket.
///
/// # Errors
/// When it is no address, or the bucket cannot be found.
pub(crate) async fn open(
    address: &str,
    project: &str,
    lease_time: Duration,
) -> Result<Box<dyn State>, Error> {
    Ok(Box::new(match Address::parse(address)?.of(project) {
        Address::Folder(path) => Shared::in_folder(path, lease_time),
        Address::Bucket { name, prefix, region } => {
            let storage = Storage::find().await;
            let endpoint = storage.endpoint();
            // Somebody else's S3 wants the region that its user has set; a bucket of Amazon's has its own.
            let region = region.or_else(|| endpoint.as_ref().and_then(|_| storage.region()));
            let credentials = Arc::new(Caller(storage));
            let parts = (name.as_str(), prefix.as_str());
            let bucket =
                Bucket::open(parts, region.as_deref(), endpoint.as_deref(), credentials).await?;
            Shared::in_bucket(bucket, lease_time)
        }
    }))
}

#[derive(Debug)]
struct Caller(Storage);

#[async_trait]
impl Credentials for Caller {
    async fn get(&self) -> Result<Credential, Error> {
        let Keys { key, secret, token } = self.0.keys().await?;
        Ok(Credential { key, secret, token })
    }
}
