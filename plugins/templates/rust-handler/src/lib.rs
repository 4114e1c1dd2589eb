//! The handler my-plugin: it answers requests for /my-plugin/ and all paths below.

mod panic_text;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::StreamError;

struct Plugin;

wasip2::http::proxy::export!(Plugin);

/// What one read or write takes at most.
const PIECE_BYTES: usize = 4096;

impl Guest for Plugin {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        panic_text::install();
        // The path below the mount, and the query.
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        match (request.method(), path) {
            (Method::Get, "/") => answer(out, 200, b"POST something to say/"),
            (Method::Post, "/say/") => match read(&request) {
                Ok(said) => answer(out, 200, &[b"you said ", &said[..]].concat()),
                Err(error) => answer(out, 400, format!("the body breaks off: {error}").as_bytes()),
            },
            (_, "/" | "/say/") => answer(out, 405, b"not so"),
            _ => answer(out, 404, b"nothing is here"),
        }
    }
}

/// The whole body of a request.
fn read(request: &IncomingRequest) -> Result<Vec<u8>, StreamError> {
    let body = request.consume().expect("it is the first time");
    let stream = body.stream().expect("it is the first time");
    let mut read = Vec::new();
    loop {
        match stream.blocking_read(PIECE_BYTES as u64) {
            Ok(piece) => read.extend(piece),
            Err(StreamError::Closed) => return Ok(read),
            Err(error) => return Err(error),
        }
    }
}

fn answer(out: ResponseOutparam, status: u16, text: &[u8]) {
    let headers = [("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec())];
    let response = OutgoingResponse::new(Fields::from_list(&headers).expect("all are allowed"));
    response.set_status_code(status).expect("it is one");
    let body = response.body().expect("it is the first time");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("it is the first time");
    for piece in text.chunks(PIECE_BYTES) {
        // Whoever asked may have gone: then nobody reads on.
        if stream.blocking_write_and_flush(piece).is_err() {
            return;
        }
    }
    // Before the body is finished, its stream has to go.
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}
