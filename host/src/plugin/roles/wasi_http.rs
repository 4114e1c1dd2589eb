//! The role `http-handler`: the adapter between `wasi:http/incoming-handler@0.2` and the host, for components that were
//! written for any host of that standard.

use super::sandbox::Sandbox;
use super::warm::{New, Warm};
use crate::plugin::call::CallError;
use crate::plugin::run::guest::Guest;
use crate::plugin::run::response::{Outlet, announced, is_bodiless};
use bytes::Bytes;
use futures_util::future::try_join;
use http_body_util::{BodyExt, Full};
use hyper::http::uri;
use hyper::{Method, Request, Response};
use std::sync::Arc;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Resource};
use wasmtime::error::Context;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyIndices};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

/// What a component of this role exports.
pub(crate) const INTERFACE: &str = "wasi:http/incoming-handler";
/// The line of versions that this file speaks: a component of any of them finds what it imports.
pub(crate) const VERSION: &str = "0.2";

type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// A component that is known to export the role.
pub(crate) struct Handler(ProxyIndices);

impl Handler {
    pub(crate) fn new(component: &InstancePre<Guest>) -> wasmtime::Result<Self> {
        Ok(Self(ProxyIndices::new(component)?))
    }

    /// Holds the function of an instance to the standard's types.
    pub(super) fn check_function(store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        Proxy::new(store, instance).map(drop).context("the function of the role http-handler")
    }

    /// One call, in a fresh instance that goes with it. It is over when the guest has returned and its response is whole.
    pub(super) async fn handle(
        &self,
        sandbox: &Sandbox,
        warm: &Arc<Warm>,
        New { mut store, instance, .. }: New,
        request: Request<Bytes>,
        outlet: Outlet,
    ) -> Result<(), CallError> {
        let method = request.method().clone();
        let proxy = self.0.load(&mut store, &instance);
        let proxy = sandbox.unless_trapped(proxy, &store)?;
        let (answer, answered) = oneshot::channel();
        let resources = resources(store.data_mut().http(), request, answer);
        let (request, outparam) = sandbox.unless_trapped(resources, &store)?;
        let guest = async move {
            let returned = proxy.wasi_http_incoming_handler().call_handle(&mut store, request, outparam).await;
            let ended = sandbox.unless_trapped(returned, &store);
            // And with it goes all that the guest has left open.
            sandbox.let_go(warm, store);
            ended
        };
        let response = take(answered, outlet, &method, sandbox.limits().output_bytes_max);
        try_join(guest, response).await.map(drop)
    }
}

/// What the guest is handed.
fn resources(
    mut http: WasiHttpCtxView<'_>,
    request: Request<Bytes>,
    answer: oneshot::Sender<Answer>,
) -> wasmtime::Result<(Resource<HostIncomingRequest>, Resource<HostResponseOutparam>)> {
    let is_https = request.uri().scheme() == Some(&uri::Scheme::HTTPS);
    let scheme = if is_https { Scheme::Https } else { Scheme::Http };
    let request = http.new_incoming_request(scheme, request.map(Full::new))?;
    Ok((request, http.new_response_outparam(answer)?))
}

/// Takes the response in as the guest writes it.
async fn take(
    answered: oneshot::Receiver<Answer>,
    outlet: Outlet,
    method: &Method,
    bytes_max: usize,
) -> Result<(), CallError> {
    let answer = answered.await.map_err(|_| CallError::NoResponse)?;
    let response = answer.map_err(|code| CallError::Failed(format!("it answered with the error {code:?}")))?;
    let (head, mut body) = response.into_parts();
    if head.status.is_informational() {
        return Err(CallError::Failed(format!("it answered with {}, which is no final status", head.status.as_u16())));
    }
    let is_bodiless = is_bodiless(method, head.status);
    let announced = announced(&head.headers).filter(|_| !is_bodiless);
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(CallError::OverOutput(bytes_max));
    }
    outlet.begin(head);
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(_) if is_bodiless => break,
            Err(_) => return Err(CallError::Failed("it gave up the body of its response".to_owned())),
        };
        // Trailers are left out.
        let Ok(piece) = frame.into_data() else { continue };
        bytes += piece.len();
        if bytes > bytes_max {
            return Err(CallError::OverOutput(bytes_max));
        }
        if announced.is_some_and(|announced| bytes as u64 > announced) {
            // Unwritten: a client would take what fits for the whole.
            break;
        }
        if !is_bodiless {
            outlet.write(&piece);
        }
    }
    if let Some(announced) = announced.filter(|announced| *announced != bytes as u64) {
        return Err(CallError::Failed(format!(
            "its response has {bytes} bytes, and its content-length is {announced}"
        )));
    }
    outlet.end();
    Ok(())
}
