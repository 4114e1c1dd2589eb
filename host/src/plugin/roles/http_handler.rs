//! The role `http-handler`: the adapter between `wasi:http/incoming-handler@0.2` and the host, for components that were
//! written for any host of that standard.

use super::role::{Export, Function, InterfaceVersion, Role, RoleCall};
use super::warm::NewInstance;
use crate::plugin::call::CallError;
use crate::plugin::role::RoleName;
use crate::plugin::run::response::{Outlet, announced, is_bodiless};
use bytes::Bytes;
use futures_util::future::try_join;
use http_body_util::{BodyExt, Full};
use hyper::http::uri;
use hyper::{Method, Request, Response};
use tokio::sync::oneshot;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

/// What a component exports that is a handler.
pub(crate) const INTERFACE: &str = "wasi:http/incoming-handler";

/// The role of HTTP requests, as they come in.
pub enum HttpHandler {}

type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;
type Resources = (Resource<HostIncomingRequest>, Resource<HostResponseOutparam>);

/// `incoming-handler.handle`.
pub(super) enum Handle {}

impl Function for Handle {
    type Params = Resources;
    type Results = ();

    const ROLE: RoleName = HttpHandler::NAME;
    const NAME: RoleName = HttpHandler::NAME;
    const EXPORT: Export = Export { interface: INTERFACE, version: InterfaceVersion::Any("0.2"), function: "handle" };
}

impl Role for HttpHandler {
    /// Where the response goes as it is written.
    type In = (Request<Bytes>, Outlet);
    type Out = ();

    const NAME: RoleName = RoleName("http-handler");
    const IS_AWAITED: bool = true;

    /// In an instance that goes with the call. It is over when the guest has returned and its response is whole.
    async fn call(call: RoleCall<'_>, (request, outlet): (Request<Bytes>, Outlet)) -> Result<(), CallError> {
        let RoleCall { sandbox, idle, function, call_seed, .. } = call;
        let NewInstance { mut store, instance, .. } = sandbox.new_instance(&idle.warm, call_seed).await?;
        let method = request.method().clone();
        let function = Handle::in_instance(&mut store, &instance, function);
        let function = sandbox.unless_trapped(function, &store)?;
        let (answer, answered) = oneshot::channel();
        let resources = resources(store.data_mut().http(), request, answer);
        let resources = sandbox.unless_trapped(resources, &store)?;
        let guest = async move {
            let returned = function.call_async(&mut store, resources).await;
            let ended = sandbox.unless_trapped(returned, &store);
            // Dropping the store closes all that the guest has left open.
            sandbox.let_go(&idle.warm, store);
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
) -> wasmtime::Result<Resources> {
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
            // Not written: a client would take the first bytes, as many as are announced, for the whole body.
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
