use super::refusal::Refusal;
use super::{Credential, Credentials, Object, Place, Put};
use async_trait::async_trait;
use kiln_engine::Error;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential, resolve_bucket_region};
use object_store::path::Path;
use object_store::{
    ClientOptions, CredentialProvider, Error as StoreError, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, RetryConfig, UpdateVersion,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A part of an S3 bucket, or of one of what speaks its protocol. It must know conditional writes, as S3 does since 2024
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
#[derive(Debug)]
pub struct Bucket {
    s3: AmazonS3,
    prefix: String,
    name: String,
}

/// How long a call is tried again: less than a lease lasts.
const TRIED_FOR: Duration = Duration::from_secs(30);

impl Bucket {
    /// A bucket. `endpoint`: where it is when not at Amazon's. `region`: of the bucket; `None`: it is asked for.
    ///
    /// # Errors
    /// When its region cannot be found out, or the endpoint makes no sense.
    pub async fn open(
        (name, prefix): (&str, &str),
        region: Option<&str>,
        endpoint: Option<&str>,
        credentials: Arc<dyn Credentials>,
    ) -> Result<Self, Error> {
        let shown = match prefix {
            "" => format!("s3://{name}"),
            prefix => format!("s3://{name}/{prefix}"),
        };
        let region = match (region, endpoint) {
            (Some(region), _) => region.to_owned(),
            // Others than Amazon hold buckets of one region, whatever it is called.
            (None, Some(_)) => "us-east-1".to_owned(),
            (None, None) => {
                let found = resolve_bucket_region(name, &ClientOptions::new()).await;
                found.map_err(|error| {
                    Error::environment(format!("cannot find out the region of `{shown}`"))
                        .help("say it: `s3://bucket/prefix?region=eu-west-1`")
                        .caused_by(error)
                })?
            }
        };
        let retry = RetryConfig { retry_timeout: TRIED_FOR, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(region)
            .with_retry(retry)
            // One object at a time is all that is ever removed.
            .with_disable_bulk_delete(true)
            .with_credentials(Arc::new(Provider(credentials)));
        if let Some(endpoint) = endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http://"))
                .with_virtual_hosted_style_request(false);
        }
        let s3 = builder.build().map_err(|error| {
            Error::environment(format!("cannot open the state `{shown}`")).caused_by(error)
        })?;
        Ok(Self { s3, prefix: prefix.to_owned(), name: shown })
    }

    fn path(&self, path: &str) -> Path {
        Path::from(match self.prefix.as_str() {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        })
    }

    fn failed(&self, doing: &str, path: &str, error: StoreError) -> Error {
        let refusal = Refusal::of(&error);
        let message = format!("cannot {doing} `{path}` of the state `{}`: {refusal}", self.name);
        Error::environment(message).help(refusal.help())
    }

    async fn write(
        &self,
        path: &str,
        bytes: Vec<u8>,
        mode: PutMode,
    ) -> Result<Option<String>, StoreError> {
        let options = PutOptions { mode, ..PutOptions::default() };
        Ok(self.s3.put_opts(&self.path(path), bytes.into(), options).await?.e_tag)
    }
}

#[async_trait]
impl Place for Bucket {
    fn name(&self) -> &str {
        &self.name
    }

    async fn get(&self, path: &str) -> Result<Option<Object>, Error> {
        let failed = |error| self.failed("read", path, error);
        let got = match self.s3.get(&self.path(path)).await {
            Err(StoreError::NotFound { source, .. })
                if !Refusal::of(source.as_ref()).is_no_bucket() =>
            {
                return Ok(None);
            }
            got => got.map_err(failed)?,
        };
        let (version, modified) = (got.meta.e_tag.clone(), got.meta.last_modified.into());
        let bytes = got.bytes().await.map_err(failed)?.to_vec();
        Ok(Some(Object { bytes, version: version.unwrap_or_default(), modified }))
    }

    async fn put(&self, path: &str, bytes: Vec<u8>, over: Option<&str>) -> Result<Put, Error> {
        let mode = match over {
            None => PutMode::Create,
            Some(version) => {
                PutMode::Update(UpdateVersion { e_tag: Some(version.to_owned()), version: None })
            }
        };
        match self.write(path, bytes.clone(), mode).await {
            Ok(version) => Ok(Put::Done(version.unwrap_or_default())),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                // A call that was tried again may have found what its first try wrote.
                Ok(match self.get(path).await? {
                    Some(there) if there.bytes == bytes => Put::Done(there.version),
                    _ => Put::Conflict,
                })
            }
            Err(error) => Err(self.failed("write", path, error)),
        }
    }

    async fn touch(&self, path: &str, bytes: Vec<u8>) -> Result<SystemTime, Error> {
        let written = self.write(path, bytes, PutMode::Overwrite).await;
        written.map_err(|error| self.failed("write", path, error))?;
        let head = self.s3.head(&self.path(path)).await;
        let head = head.map_err(|error| self.failed("read", path, error))?;
        Ok(head.last_modified.into())
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        match self.s3.delete(&self.path(path)).await {
            Err(StoreError::NotFound { source, .. })
                if !Refusal::of(source.as_ref()).is_no_bucket() =>
            {
                Ok(())
            }
            removed => removed.map_err(|error| self.failed("remove", path, error)),
        }
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        let listed = self.s3.list_with_delimiter(Some(&self.path(folder))).await;
        let listed = listed.map_err(|error| self.failed("list", folder, error))?;
        let names = listed.objects.iter().filter_map(|object| object.location.filename());
        let mut names: Vec<String> = names.map(ToOwned::to_owned).collect();
        names.sort();
        Ok(names)
    }
}

#[derive(Debug)]
struct Provider(Arc<dyn Credentials>);

#[async_trait]
impl CredentialProvider for Provider {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> Result<Arc<AwsCredential>, StoreError> {
        let Credential { key, secret, token } = self.0.get().await.map_err(|error| {
            StoreError::Unauthenticated { path: String::new(), source: error.chain().into() }
        })?;
        Ok(Arc::new(AwsCredential { key_id: key, secret_key: secret, token }))
    }
}
