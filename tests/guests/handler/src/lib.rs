//! A handler of wasi:http that does what the first segment of its path says, and what hostile ones do.

mod fetch;

use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

struct Handler;

wasip2::http::proxy::export!(Handler);

/// What one call of the host takes.
const CHUNK_BYTES: usize = 4096;
const PAUSE_NANOSECONDS: u64 = 20_000_000;

impl Guest for Handler {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (word, argument) = path.split_once('?').unwrap_or((&path, ""));
        let word = word.trim_start_matches('/').split('/').next().unwrap_or_default();
        let count = argument.parse().unwrap_or(0_usize);
        match word {
            "" => Body::begin(outparam, 200, &[]).whole(b"hello"),
            "echo" => echo(request, outparam),
            // So many bytes, as fast as they are taken.
            "stream" => {
                let body = Body::begin(outparam, 200, &[]);
                body.fill(count);
                body.finish();
            }
            // So many pieces, with a pause before each.
            "drip" => {
                let body = Body::begin(outparam, 200, &[("content-type", "text/event-stream")]);
                for number in 0..count {
                    pause();
                    body.write(format!("{number}\n").as_bytes());
                }
                body.finish();
            }
            "status" => Body::begin(outparam, count as u16, &[]).whole(b"what this status has to say"),
            "length" => Body::begin(outparam, 200, &[("content-length", argument)]).whole(b"hello"),
            "fetch" => {
                let body = fetch::get(argument);
                Body::begin(outparam, 200, &[]).whole(body.as_bytes());
            }
            "error" => ResponseOutparam::set(outparam, Err(ErrorCode::InternalError(Some("out of paper".to_owned())))),
            "silent" => drop(outparam),
            "trap" => std::process::abort(),
            "loop" => endless_loop(),
            "grow" => grow(),
            "endless" => {
                let body = Body::begin(outparam, 200, &[]);
                loop {
                    body.fill(1 << 20);
                }
            }
            // From here on, what goes wrong does so once the answer has begun.
            "late-trap" => {
                let _body = Body::broken(outparam);
                std::process::abort();
            }
            "late-loop" => {
                let _body = Body::broken(outparam);
                endless_loop();
            }
            // All is said, and there is still something to do.
            "afterwards" => {
                Body::begin(outparam, 200, &[]).whole(b"done");
                endless_loop();
            }
            _ => Body::begin(outparam, 404, &[]).whole(b"no such word"),
        }
    }
}

fn echo(request: IncomingRequest, outparam: ResponseOutparam) {
    let mut told = format!(
        "{:?} {}\n{:?} {}\n",
        request.method(),
        request.path_with_query().unwrap_or_default(),
        request.scheme().expect("a scheme"),
        request.authority().unwrap_or_default()
    )
    .into_bytes();
    for (name, value) in request.headers().entries() {
        told.extend(name.as_bytes());
        told.extend(b": ");
        told.extend(value);
        told.push(b'\n');
    }
    told.push(b'\n');
    let body = request.consume().expect("it is the first time");
    read(body, &mut told);
    Body::begin(outparam, 201, &[("x-echo", "yes"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]).whole(&told);
}

fn read(body: IncomingBody, into: &mut Vec<u8>) {
    let stream: InputStream = body.stream().expect("it is the first time");
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(bytes) => into.extend(bytes),
            Err(StreamError::Closed) => return,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// A response that has begun.
struct Body {
    body: OutgoingBody,
    // Before the body is finished, this has to go.
    stream: OutputStream,
}

impl Body {
    fn begin(outparam: ResponseOutparam, status: u16, headers: &[(&str, &str)]) -> Self {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let response = OutgoingResponse::new(Fields::from_list(&headers).expect("all are allowed"));
        response.set_status_code(status).expect("it is one");
        let body = response.body().expect("it is the first time");
        ResponseOutparam::set(outparam, Ok(response));
        let stream = body.write().expect("it is the first time");
        Self { body, stream }
    }

    /// One that the client has seen the beginning of.
    fn broken(outparam: ResponseOutparam) -> Self {
        let body = Self::begin(outparam, 200, &[]);
        body.write(b"so far so good");
        pause();
        body
    }

    fn write(&self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK_BYTES) {
            if self.stream.blocking_write_and_flush(chunk).is_err() {
                return;
            }
        }
    }

    fn fill(&self, bytes: usize) {
        let chunk = [b'x'; CHUNK_BYTES];
        let mut left = bytes;
        while left > 0 {
            let now = left.min(CHUNK_BYTES);
            self.write(&chunk[..now]);
            left -= now;
        }
    }

    fn finish(self) {
        let Self { body, stream } = self;
        drop(stream);
        // Fails where the length is not what was announced.
        let _ = OutgoingBody::finish(body, None);
    }

    fn whole(self, bytes: &[u8]) {
        self.write(bytes);
        self.finish();
    }
}

fn pause() {
    subscribe_duration(PAUSE_NANOSECONDS).block();
}

fn endless_loop() -> ! {
    loop {
        std::hint::black_box(());
    }
}

fn grow() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(vec![1_u8; 1 << 20]);
        std::hint::black_box(&held);
    }
}
