//! `GET /events`: a stream of events to whoever asks for one.

use super::event::Resume;
use super::hub::Hub;
use super::open::OpenError;
use super::sse::SseBody;
use crate::flow::Client;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::server::head::Head;
use crate::http::server::middleware::HasOwnPermit;
use bytes::Bytes;
use std::sync::Arc;
use warp::Reply;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use warp::http::{HeaderMap, HeaderName, HeaderValue, Method};
use warp::reply::Response;

pub use crate::config::EVENTS_PATH as PATH;

const METHODS: &str = "GET, HEAD";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx and its like to pass on what comes when it comes.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Wanted {
    /// Empty where the client names none.
    pub(in crate::http) topics: Vec<Bytes>,
    pub(in crate::http) resume: Resume,
}

impl Wanted {
    /// What the query and the headers say. The header says how far a client has come that asks again, with the query that it
    /// began with.
    ///
    /// # Errors
    /// When the query is broken, or says what is not known here.
    pub(in crate::http) fn of(query: &str, headers: &HeaderMap) -> Result<Self, Problem> {
        let (mut topics, mut resume) = (Vec::new(), None);
        for (name, value) in query::pairs(query).map_err(Problem::Malformed)? {
            match &*name {
                "topic" => topics.push(Bytes::copy_from_slice(value.as_bytes())),
                "last_event_id" if resume.is_none() => resume = Some(Resume::of(&value)),
                "last_event_id" => {
                    return Err(Problem::Malformed("last_event_id stands twice in the query".to_owned()));
                }
                _ => {
                    return Err(Problem::Malformed(
                        "the query has another name than topic, last_event_id and token; say topic=NAME, as often as there \
                         are topics"
                            .to_owned(),
                    ));
                }
            }
        }
        // A browser that has no id sends none.
        let of_header = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty());
        let of_header = of_header.map(|value| value.to_str().map_or(Resume::Unknown, Resume::of));
        Ok(Self { topics, resume: of_header.or(resume).unwrap_or(Resume::Now) })
    }
}

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TooManyStreams(max) => Self::TooManyStreams(max),
            OpenError::Topic(error) => Self::Malformed(error.to_string()),
        }
    }
}

/// Answers with a stream that ends when the client or the host does.
///
/// # Errors
/// When the client asks for what there is not, or as many streams as may be are open.
pub(in crate::http) fn answer(hub: &Arc<Hub>, head: &Head) -> Result<Response, Problem> {
    let is_head = match head.parts.method {
        Method::GET => false,
        Method::HEAD => true,
        _ => return Err(Problem::Method(METHODS)),
    };
    let Wanted { mut topics, resume } = Wanted::of(head.query(), &head.parts.headers)?;
    if topics.is_empty() {
        topics.push(Bytes::new());
    }
    let mut response = match is_head {
        true => Response::default(),
        false => {
            let client = Client::new("sse", None, head.from);
            let body = SseBody::new(hub.open(client, topics, resume)?);
            let mut response = warp::reply::stream(body).into_response();
            response.extensions_mut().insert(HasOwnPermit);
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}
