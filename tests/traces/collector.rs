//! A collector that takes OTLP over plain HTTP, and that can be told to be slow, unwilling or away.

use crate::harness::wait_for;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the collector does with a batch.
#[derive(Clone, Copy)]
pub enum Answering {
    Well,
    /// With this status.
    With(u16),
    /// As if it had rejected so many spans.
    Rejecting(i64),
    /// Never.
    Never,
    /// By closing the connection.
    ByClosing,
}

/// A running collector. Its threads end with their connections, or with the test's process.
pub struct Collector {
    pub endpoint: String,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    resource: Vec<KeyValue>,
}

impl Collector {
    pub fn start(answering: Answering) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::<Mutex<Taken>>::default();
        let into = Arc::clone(&taken);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let into = Arc::clone(&into);
                std::thread::spawn(move || serve(client, &into, answering));
            }
        });
        Self { endpoint, taken }
    }

    /// None, where one was to be.
    pub fn away(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), taken: Arc::default() }
    }

    /// Forgets all spans so far.
    pub fn forget(&self) {
        self.taken.lock().unwrap().spans.clear();
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.taken.lock().unwrap().spans.clone()
    }

    /// Waits until there are `count` spans, and no more.
    #[track_caller]
    pub fn wait_for_spans(&self, count: usize) -> Vec<Span> {
        let spans = wait_for("the spans", || Some(self.spans()).filter(|spans| spans.len() >= count));
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }

    /// What the host says of itself.
    pub fn resource(&self, key: &str) -> Option<String> {
        text(&self.taken.lock().unwrap().resource, key)
    }
}

/// Takes requests until the client closes the connection.
fn serve(client: TcpStream, taken: &Mutex<Taken>, answering: Answering) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut client = client;
    while let Some(body) = read(&mut reader) {
        let request = ExportTraceServiceRequest::decode(&body[..]).expect("a request as OTLP has it");
        let (status, rejected) = match answering {
            Answering::Well => (200, 0),
            Answering::With(status) => (status, 0),
            Answering::Rejecting(spans) => (200, spans),
            // Until the host closes the connection.
            Answering::Never => return while reader.read(&mut [0; 64]).is_ok_and(|read| read > 0) {},
            Answering::ByClosing => return,
        };
        let mut into = taken.lock().unwrap();
        for resource_spans in request.resource_spans {
            into.resource = resource_spans.resource.expect("a resource").attributes;
            into.spans.extend(resource_spans.scope_spans.into_iter().flat_map(|scope_spans| scope_spans.spans));
        }
        drop(into);
        let error_message = if rejected > 0 { "too many".to_owned() } else { String::new() };
        let partial_success = Some(ExportTracePartialSuccess { rejected_spans: rejected, error_message });
        let answer = ExportTraceServiceResponse { partial_success }.encode_to_vec();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/x-protobuf\r\ncontent-length: ");
        let head = format!("{head}{}\r\n\r\n", answer.len());
        if client.write_all(&[head.as_bytes(), &answer].concat()).is_err() {
            return;
        }
    }
}

/// The body of the next request; none at the end of the connection.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("{key} is {other:?}"),
    })
}

/// What a test asks of a span.
pub trait Told {
    /// The value of an attribute, as text; empty if there is none.
    fn told(&self, key: &str) -> String;
    /// Asserts the values of attributes.
    fn assert_tells(&self, attributes: &[(&str, &str)]);
    fn has_failed(&self) -> bool;
    /// Its name in a `traceparent`.
    fn traceparent(&self) -> String;
}

impl Told for Span {
    fn told(&self, key: &str) -> String {
        text(&self.attributes, key).unwrap_or_default()
    }

    #[track_caller]
    fn assert_tells(&self, attributes: &[(&str, &str)]) {
        for (key, value) in attributes {
            assert_eq!(self.told(key), *value, "{key} of {self:#?}");
        }
    }

    fn has_failed(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
    }

    fn traceparent(&self) -> String {
        format!("00-{}-{}-01", hexadecimal(&self.trace_id), hexadecimal(&self.span_id))
    }
}

pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The one span of this name.
#[track_caller]
pub fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let (Some(span), None) = (found.next(), found.next()) else { panic!("not one span {name}: {spans:#?}") };
    span
}
