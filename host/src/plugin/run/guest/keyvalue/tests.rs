//! A call that waits for a bucket.

use super::*;
use crate::buckets::{Bucket, BucketFigures, CallBuckets, Performed, PluginBuckets};
use crate::config::{self, Limits};
use crate::plugin::call::CallNumber;
use crate::plugin::run::deterministic_random::{CallSeed, Seed};
use crate::plugin::run::guest::linker::linker;
use crate::plugin::run::plugin_state::PluginState;
use crate::plugin::run::runtime::compile_settings;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use tokio::sync::Semaphore;
use wasmtime::component::Component;

/// Opens the bucket `seen` and reads a key of it.
const READING: &str = r#"(component
    (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
        (type $variant (variant (case "no-such-store") (case "access-denied") (case "other" string)))
        (export "error" (type $error (eq $variant)))
        (export "bucket" (type $bucket (sub resource)))
        (type $own (own $bucket))
        (type $opened (result $own (error $error)))
        (export "open" (func (param "identifier" string) (result $opened)))
        (type $borrow (borrow $bucket))
        (type $bytes (list u8))
        (type $value (option $bytes))
        (type $read (result $value (error $error)))
        (export "[method]bucket.get" (func (param "self" $borrow) (param "key" string) (result $read)))))
    (core module $memory
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (data (i32.const 0) "seen"))
    (core instance $m (instantiate $memory))
    (alias export $store "open" (func $open))
    (alias export $store "[method]bucket.get" (func $get))
    (core func $lowered_open (canon lower (func $open) (memory $m "memory") (realloc (func $m "realloc"))))
    (core func $lowered_get (canon lower (func $get) (memory $m "memory") (realloc (func $m "realloc"))))
    (core module $main
        (import "" "memory" (memory 1))
        (import "" "open" (func $open (param i32 i32 i32)))
        (import "" "get" (func $get (param i32 i32 i32 i32)))
        (func (export "run")
            (call $open (i32.const 0) (i32.const 4) (i32.const 100))
            (if (i32.load8_u (i32.const 100)) (then (unreachable)))
            (call $get (i32.load (i32.const 104)) (i32.const 0) (i32.const 4) (i32.const 200))))
    (core instance $run (instantiate $main (with "" (instance
        (export "memory" (memory $m "memory"))
        (export "open" (func $lowered_open))
        (export "get" (func $lowered_get))))))
    (func (export "run") (canon lift (core func $run "run"))))"#;

/// A bucket that answers once it is let to.
struct Slow(Semaphore);

impl Bucket for Slow {
    fn perform(&self, _operation: Operation) -> BoxFuture<'_, Performed> {
        Box::pin(async {
            self.0.acquire().await.expect("it is open").forget();
            Ok(Reply::Value(None))
        })
    }

    fn configure(&self, _bounds: &config::Bucket) {}

    fn figures(&self) -> BucketFigures {
        BucketFigures::default()
    }
}

async fn call(bucket: &Arc<Slow>) -> wasmtime::Result<()> {
    let engine = wasmtime::Engine::new(&compile_settings(false))?;
    let (limits, instances) = (Limits::default(), config::Instances::default());
    let buckets = PluginBuckets::of_bucket("seen", Arc::clone(bucket) as _);
    let plugin_state = PluginState::new("p".to_owned(), limits, BTreeMap::new(), instances, Vec::new(), buckets);
    let (number, buckets) = (CallNumber::Message(1), CallBuckets::Plain);
    let call_seed = CallSeed { seed: Seed::new(Some(1)), digest: "d".into(), role: None, number, buckets };
    let mut store = Guest::store(&engine, &Arc::new(plugin_state), call_seed, Arc::default()).expect("room");
    let component = Component::new(&engine, wat::parse_str(READING)?)?;
    let instance = linker(&engine)?.instantiate_async(&mut store, &component).await?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    run.call_async(&mut store, ()).await
}

#[tokio::test]
async fn a_call_that_waits_for_a_bucket_holds_no_thread_and_ends_when_it_is_given_up() {
    let bucket = Arc::new(Slow(Semaphore::new(0)));
    let given_up = call(&bucket).now_or_never();
    assert!(given_up.is_none(), "{given_up:?}");
    let (called, ()) = tokio::join!(call(&bucket), async { bucket.0.add_permits(1) });
    called.unwrap();
}
