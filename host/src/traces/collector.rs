//! The collector, as OTLP/HTTP speaks to it: one request for each batch of spans, in protobuf.

use crate::config::{CollectorEndpoint, SPAN_TEXT_BYTES_MAX, TRACES_ANSWER_BYTES_MAX, TRACES_CONNECT_MS};
use opentelemetry::{Key, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use std::error::Error;
use std::time::Duration;

const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));
const SERVICE_NAME: &str = "service.name";
/// How the SDK calls a service that nobody has named.
const UNNAMED: &str = "unknown_service";

/// Whom spans are sent to, and on whose behalf.
pub(super) struct Collector {
    client: Client,
    url: String,
    resource: ResourceAttributesWithSchema,
}

/// What the collector did not take of a batch that it answered well.
pub(super) struct Rejected {
    pub(super) spans: usize,
    pub(super) cause: Option<String>,
}

impl Collector {
    /// A collector to which nobody has connected yet.
    ///
    /// # Errors
    /// When no client can be made: for want of certificates, say.
    pub(super) fn new(endpoint: &CollectorEndpoint) -> Result<Self, String> {
        // A second time it does nothing.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(Duration::from_millis(TRACES_CONNECT_MS))
            .redirect(Policy::none())
            // A collector is near: the proxy of the environment is for registries.
            .no_proxy()
            .build()
            .map_err(|error| cause(&error))?;
        Ok(Self { client, url: endpoint.traces_url(), resource: (&resource()).into() })
    }

    /// Sends a batch, and says what the collector rejected of it.
    ///
    /// # Errors
    /// When it cannot be reached or does not take the batch; says why.
    pub(super) async fn send(&self, spans: Vec<SpanData>) -> Result<Rejected, String> {
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let request = self.client.post(&self.url).header(CONTENT_TYPE, "application/x-protobuf").body(body);
        let response = request.send().await.map_err(|error| cause(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("it answered {status}"));
        }
        // Some collectors say it in another form, which changes nothing: they have taken the batch.
        let answer = ExportTraceServiceResponse::decode(&read(response).await?[..]).unwrap_or_default();
        let partial = answer.partial_success.unwrap_or_default();
        let spans = usize::try_from(partial.rejected_spans).unwrap_or_default();
        let why = &partial.error_message[..partial.error_message.floor_char_boundary(SPAN_TEXT_BYTES_MAX)];
        Ok(Rejected { spans, cause: (spans > 0).then(|| format!("it rejected {spans} of a batch: {why:?}")) })
    }
}

/// The body of an answer, as far as it is of interest.
async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| cause(&error))? {
        if body.len() + piece.len() > TRACES_ANSWER_BYTES_MAX {
            return Ok(Vec::new());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// What all spans have in common: who sends them, as `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say it.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    let known = Resource::builder().build().get(&Key::from_static_str(SERVICE_NAME));
    match known {
        Some(name) if !name.as_str().starts_with(UNNAMED) => resource.build(),
        _ => resource.with_service_name("tidegate").build(),
    }
}

/// The innermost cause of an error, which says most: connection refused, say.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
