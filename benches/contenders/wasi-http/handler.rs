//! Around the logic: wasi:http, in as few calls of the host as it takes.

use crate::logic;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Server;

wasip2::http::proxy::export!(Server);

impl Guest for Server {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let (status, text) = match answer(request.path_with_query().as_deref()) {
            Ok(text) => (200, text),
            Err(why) => (400, why.into_bytes()),
        };
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let headers = [header("content-type", "text/plain"), header("content-length", &text.len().to_string())];
        let response = OutgoingResponse::new(Fields::from_list(&headers).expect("both are allowed"));
        response.set_status_code(status).expect("it is one");
        let body = response.body().expect("it is the first time");
        ResponseOutparam::set(outparam, Ok(response));
        let stream = body.write().expect("it is the first time");
        // What one call takes.
        for chunk in text.chunks(4096) {
            if stream.blocking_write_and_flush(chunk).is_err() {
                break;
            }
        }
        drop(stream);
        // Fails where the client has gone.
        let _ = OutgoingBody::finish(body, None);
    }
}

fn answer(path: Option<&str>) -> Result<Vec<u8>, String> {
    let query = path.and_then(|path| path.strip_prefix("/downcase/?")).unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, text) =
        pairs.find(|(name, _)| name == "param" || name == "Param").ok_or("the parameter param is missing")?;
    logic::answer(text.as_bytes())
}
