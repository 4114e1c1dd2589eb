//! The role `http-handler` for whoever wants a response whole, and not as it is written: examples, and calls to try a
//! handler.

use super::http_handler::HttpHandler;
use super::role::{Role, RoleCall};
use crate::byte_budget::Held;
use crate::plugin::call::CallError;
use crate::plugin::handler_fields::for_client;
use crate::plugin::handler_request::HandlerRequest;
use crate::plugin::role::RoleName;
use crate::plugin::run::response::response_to;
use bytes::Bytes;
use hyper::Response;

/// The role `http-handler`, whose call gives a response only when it has ended well.
pub enum WholeResponse {}

impl Role for WholeResponse {
    type In = HandlerRequest;
    /// As a client of the host gets it.
    type Out = Response<Bytes>;

    const NAME: RoleName = HttpHandler::NAME;
    const IS_AWAITED: bool = HttpHandler::IS_AWAITED;

    async fn call(call: RoleCall<'_>, request: HandlerRequest) -> Result<Response<Bytes>, CallError> {
        let request = request.at_mount(call.sandbox.name());
        let room = Held::alone(call.sandbox.limits().output_bytes_max);
        let (outlet, inlet) = response_to(request.method().clone(), room);
        HttpHandler::call(call, (request, outlet)).await?;
        let mut response = inlet.whole()?;
        for_client(response.headers_mut());
        Ok(response)
    }
}
