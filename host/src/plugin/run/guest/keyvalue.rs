//! wasi:keyvalue: the buckets of a call, by whichever handles its guest has of them.

pub(super) mod open;

use super::Guest;
use crate::buckets::{BucketError, Operation, Reply};
use crate::config::{BUCKET_BATCH_BYTES_MAX, BUCKET_BATCH_KEYS_MAX};
use bytes::Bytes;
use open::OpenBucket;
use std::sync::Arc;
use wasmtime::component::{HasSelf, Linker, Resource};

wasmtime::component::bindgen!({
    path: "wit",
    inline: "package tidegate:host;
        world buckets {
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
            import wasi:keyvalue/batch@0.2.0-draft2;
        }",
    world: "tidegate:host/buckets",
    imports: { default: async | trappable },
    with: {
        "wasi:keyvalue/store.bucket": Handle,
        "wasi:keyvalue/atomics.cas": Cas,
    },
});

use wasi::keyvalue::atomics::{CasError, Host as AtomicsHost, HostCas};
use wasi::keyvalue::batch::Host as BatchHost;
use wasi::keyvalue::store::{Error, Host as StoreHost, HostBucket, KeyResponse};

/// The package that a component imports.
pub(crate) const PACKAGE: &str = "wasi:keyvalue/";
/// Its interfaces, in the one version of it that the host has.
pub(crate) const INTERFACES: [&str; 3] =
    ["wasi:keyvalue/store@0.2.0-draft2", "wasi:keyvalue/atomics@0.2.0-draft2", "wasi:keyvalue/batch@0.2.0-draft2"];

/// A bucket as a guest holds it. It is looked up at each use: an instance that serves several calls may keep it.
pub struct Handle {
    name: Arc<str>,
}

/// A key as it was when the handle was made.
pub struct Cas {
    name: Arc<str>,
    key: String,
    value: Option<Bytes>,
    version: u64,
}

impl Guest {
    fn bucket_of(&mut self, handle: &Resource<Handle>) -> wasmtime::Result<Result<OpenBucket, Error>> {
        let name = Arc::clone(&self.resources.get(handle)?.name);
        Ok(self.bucket(&name))
    }

    async fn use_bucket(&mut self, handle: Resource<Handle>, operation: Operation) -> Used<Reply> {
        let bucket = match self.bucket_of(&handle)? {
            Ok(bucket) => bucket,
            Err(error) => return Ok(Err(error)),
        };
        Ok(bucket.perform(operation).await)
    }

    /// A handle of what was read.
    fn cas(&mut self, name: Arc<str>, key: String, read: Reply) -> Result<Resource<Cas>, Error> {
        let Reply::Versioned { value, version } = read else { return Err(unexpected()) };
        self.resources.push(Cas { name, key, value, version }).map_err(|error| Error::Other(error.to_string()))
    }
}

/// What is returned to the guest, unless the host itself is at fault.
type Used<T> = wasmtime::Result<Result<T, Error>>;

fn unexpected() -> Error {
    Error::Other("the bucket has answered something else than was asked; please report it".to_owned())
}

/// What a reply has, if it is of the kind that was asked for.
fn only<T>(used: Result<Reply, Error>, pick: impl FnOnce(Reply) -> Option<T>) -> Result<T, Error> {
    used.and_then(|reply| pick(reply).ok_or_else(unexpected))
}

fn done(reply: Reply) -> Option<()> {
    matches!(reply, Reply::Done).then_some(())
}

fn value(reply: Reply) -> Option<Option<Vec<u8>>> {
    if let Reply::Value(value) = reply { Some(value.map(Vec::from)) } else { None }
}

impl StoreHost for Guest {
    async fn open(&mut self, identifier: String) -> Used<Resource<Handle>> {
        Ok(match self.bucket(&identifier) {
            Ok(open) => {
                let handle = self.resources.push(Handle { name: open.name });
                handle.map_err(|error| Error::Other(error.to_string()))
            }
            Err(error) => Err(error),
        })
    }
}

impl HostBucket for Guest {
    async fn get(&mut self, bucket: Resource<Handle>, key: String) -> Used<Option<Vec<u8>>> {
        Ok(only(self.use_bucket(bucket, Operation::Get { key }).await?, value))
    }

    async fn set(&mut self, bucket: Resource<Handle>, key: String, value: Vec<u8>) -> Used<()> {
        Ok(only(self.use_bucket(bucket, Operation::Set { key, value: value.into() }).await?, done))
    }

    async fn delete(&mut self, bucket: Resource<Handle>, key: String) -> Used<()> {
        Ok(only(self.use_bucket(bucket, Operation::Delete { key }).await?, done))
    }

    async fn exists(&mut self, bucket: Resource<Handle>, key: String) -> Used<bool> {
        let used = self.use_bucket(bucket, Operation::Exists { key }).await?;
        Ok(only(used, |reply| if let Reply::Exists(is_there) = reply { Some(is_there) } else { None }))
    }

    async fn list_keys(&mut self, bucket: Resource<Handle>, cursor: Option<String>) -> Used<KeyResponse> {
        let used = self.use_bucket(bucket, Operation::ListKeys { cursor }).await?;
        let keys = |reply| match reply {
            Reply::Keys { keys, cursor } => Some(KeyResponse { keys, cursor }),
            _ => None,
        };
        Ok(only(used, keys))
    }

    async fn drop(&mut self, bucket: Resource<Handle>) -> wasmtime::Result<()> {
        self.resources.delete(bucket)?;
        Ok(())
    }
}

impl HostCas for Guest {
    async fn new(&mut self, bucket: Resource<Handle>, key: String) -> Used<Resource<Cas>> {
        let bucket = match self.bucket_of(&bucket)? {
            Ok(bucket) => bucket,
            Err(error) => return Ok(Err(error)),
        };
        let read = bucket.perform(Operation::Watch { key: key.clone() }).await;
        Ok(read.and_then(|read| self.cas(bucket.name, key, read)))
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Used<Option<Vec<u8>>> {
        Ok(Ok(self.resources.get(&cas)?.value.clone().map(Vec::from)))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.resources.delete(cas)?;
        Ok(())
    }
}

impl AtomicsHost for Guest {
    async fn increment(&mut self, bucket: Resource<Handle>, key: String, delta: i64) -> Used<i64> {
        let used = self.use_bucket(bucket, Operation::Increment { key, delta }).await?;
        Ok(only(used, |reply| if let Reply::Number(number) = reply { Some(number) } else { None }))
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
        let Cas { name, key, version, .. } = self.resources.delete(cas)?;
        let bucket = match self.bucket(&name) {
            Ok(bucket) => bucket,
            Err(error) => return Ok(Err(CasError::StoreError(error))),
        };
        let swap = Operation::Swap { key: key.clone(), version, value: value.into() };
        Ok(match bucket.perform(swap).await {
            Ok(Reply::Done) => Ok(()),
            Ok(changed) => Err(self.cas(name, key, changed).map_or_else(CasError::StoreError, CasError::CasFailed)),
            Err(error) => Err(CasError::StoreError(error)),
        })
    }
}

impl BatchHost for Guest {
    async fn get_many(&mut self, bucket: Resource<Handle>, keys: Vec<String>) -> Used<Vec<(String, Option<Vec<u8>>)>> {
        let bucket = match self.bucket_for_many(&bucket, keys.len())? {
            Ok(bucket) => bucket,
            Err(error) => return Ok(Err(error)),
        };
        let (mut values, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        for key in keys {
            match only(bucket.perform(Operation::Get { key: key.clone() }).await, value) {
                Ok(value) => {
                    bytes += value.as_ref().map_or(0, Vec::len);
                    if bytes > BUCKET_BATCH_BYTES_MAX {
                        return Ok(Err(bucket.error(&BucketError::TooManyBytes)));
                    }
                    values.push((key, value));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(values))
    }

    async fn set_many(&mut self, bucket: Resource<Handle>, key_values: Vec<(String, Vec<u8>)>) -> Used<()> {
        let count = key_values.len();
        let each = key_values.into_iter().map(|(key, value)| Operation::Set { key, value: value.into() });
        self.perform_all(bucket, count, each).await
    }

    async fn delete_many(&mut self, bucket: Resource<Handle>, keys: Vec<String>) -> Used<()> {
        let count = keys.len();
        self.perform_all(bucket, count, keys.into_iter().map(|key| Operation::Delete { key })).await
    }
}

impl Guest {
    fn bucket_for_many(
        &mut self,
        bucket: &Resource<Handle>,
        keys: usize,
    ) -> wasmtime::Result<Result<OpenBucket, Error>> {
        Ok(match self.bucket_of(bucket)? {
            Ok(bucket) if keys > BUCKET_BATCH_KEYS_MAX => Err(bucket.error(&BucketError::TooManyKeys(keys))),
            other => other,
        })
    }

    /// Performs one after another, up to the first that fails.
    async fn perform_all(
        &mut self,
        bucket: Resource<Handle>,
        count: usize,
        operations: impl Iterator<Item = Operation> + Send,
    ) -> Used<()> {
        let bucket = match self.bucket_for_many(&bucket, count)? {
            Ok(bucket) => bucket,
            Err(error) => return Ok(Err(error)),
        };
        for operation in operations {
            if let Err(error) = bucket.perform(operation).await {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

/// Lets guests have buckets: what a component may import of it is the type-check's business.
///
/// # Errors
/// When wasmtime refuses to define one of them.
pub(super) fn add_keyvalue(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasi::keyvalue::store::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    wasi::keyvalue::atomics::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    wasi::keyvalue::batch::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

#[cfg(test)]
mod tests;
