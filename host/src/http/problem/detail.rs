//! The sentence in which each problem is told.

use super::{CODINGS, Problem};
use crate::config::{
    ADMIN_LETTERS_READS_MAX, ADMIN_UPLOADS_MAX, ADMIN_WATCHERS_MAX, LEDGER_MARKS_MAX, REFUSED_TEXT_BYTES_MAX,
    REJECTED_TEXT_BYTES_MAX, TAILS_MAX,
};
use crate::flow::Failure;

impl Problem {
    /// The host's own sentence. What a plugin says of its own fault is for the log alone.
    pub(in crate::http) fn detail(&self) -> String {
        match self {
            Self::Malformed(detail) => detail.clone(),
            Self::NoRoute => "no plugin serves this path; GET / lists the routes".to_owned(),
            Self::Method(allowed) => format!("this path takes {allowed}"),
            Self::BodyTooLarge(name, bytes_max) => format!("the body is larger than {name} {bytes_max}"),
            Self::BodyTimeout => "the body did not arrive in time".to_owned(),
            Self::UriTooLong(bytes_max) => {
                format!("path and query are longer than uri_bytes_max {bytes_max}; send long text as the body of a POST")
            }
            Self::HeadTooLarge { bytes_max, headers_max } => {
                format!(
                    "request line and headers are longer than head_bytes_max {bytes_max}, or more than headers_max {headers_max}"
                )
            }
            Self::Coding => "the body has another transfer-encoding than chunked; send it as it is".to_owned(),
            Self::ContentCoding(coding) => format!(
                "the body has the content-encoding `{}`, and this path takes one of {}; send it so, or as it is",
                &coding[..coding.floor_char_boundary(REJECTED_TEXT_BYTES_MAX)],
                CODINGS
            ),
            Self::Overloaded => "more requests come in than can be answered soon; nothing was done for this one".to_owned(),
            Self::TooManyRequests(max) => format!("as many requests as may be are being answered: requests_max {max}"),
            Self::TooManyStreams(max) => {
                format!("too-many-streams: as many streams of events as may be are open: events.streams_max {max}")
            }
            Self::NoRoom(name, bytes_max) => format!(
                "the bodies of requests and answers have no more room within {name} {bytes_max}; nothing was done for this one"
            ),
            Self::NoRoomForAnswer(name, bytes_max) => format!(
                "what came out for the request has no more room within {name} {bytes_max} beside other bodies; it was \
                 thrown away, and nothing of it was published"
            ),
            Self::Failed(Failure { public_detail, .. }) => {
                public_detail[..public_detail.floor_char_boundary(REJECTED_TEXT_BYTES_MAX)].to_owned()
            }
            Self::ContentType => "the plugin returned a content-type that is no header value".to_owned(),
            Self::BadResponse => "what the plugin returned is no response; the host's log says why".to_owned(),
            Self::QueueFull(sink) => format!("the {sink} queue is full; nothing was published"),
            Self::NotArrived(reason) => format!(
                "what came of the request did not arrive everywhere: {}; some of it may have",
                reason.as_str()
            ),
            Self::NotStorable(reason) => format!(
                "what came of the request cannot be stored where it is to be: {}",
                reason.as_str()
            ),
            Self::TooManyWebSockets(max) => format!("as many WebSockets as may be are open: websockets_max {max}"),
            Self::WebSocketVersion => "a WebSocket is opened by HTTP/1.1 here; ask for it on a connection of its own".to_owned(),
            Self::NoWebSocketVersion13 => "the request is not for version 13 of WebSocket; send Sec-WebSocket-Version: 13".to_owned(),
            Self::ForeignOrigin => {
                "the Origin header names a web page of another host: add its origin to events.origins to let it in".to_owned()
            }
            Self::NoToken => "send `Authorization: Bearer TOKEN` with the token of http.token_file".to_owned(),
            Self::NoAdminToken => {
                "send `Authorization: Bearer TOKEN` with the token of admin.token_file; `tidegate plugin` reads it with \
                 --token-file FILE"
                    .to_owned()
            }
            Self::Foreign(sign) => {
                format!("{sign}: call from this machine as localhost or 127.0.0.1, or set admin.token_file and send its token")
            }
            Self::NoAdminRoute => "nothing is served at this path; GET /openapi.json describes what is".to_owned(),
            Self::NoBroker => {
                "this host has no frontend: start it with --frontend and a plugin that has the reply-policy role".to_owned()
            }
            Self::NoFlow(name) => format!("no flow is named {name}; GET /flows lists them"),
            Self::NoPool(name) => format!("no pool of workers is named {name}; GET /workers lists them"),
            Self::NoWorker { pool, worker } => {
                format!("the pool {pool} has no worker {worker}; GET /workers lists those that it has, by their `id`")
            }
            Self::PoolSilent { name, cause } => format!("{name} does not answer: {cause}; ask again"),
            Self::NotReconfigured(text) | Self::NothingToCapture(text) => text[..text.floor_char_boundary(REFUSED_TEXT_BYTES_MAX)].into(),
            Self::TailOff => "this host has no live tail: set admin.tail to heads or bodies".to_owned(),
            Self::NoRouteNamed(name) => format!("no route is named {name}; GET / of the public surface lists them"),
            Self::TooManyTails => format!("{TAILS_MAX} live tails are open already, or the host ends; close one, and ask again"),
            Self::NoLetters => "this host writes no dead letters: set dead_letters.file".to_owned(),
            Self::NoCapture(id) => format!("no capture has the id {id}; GET /captures lists them"),
            Self::NotCaptured(text) => format!("nothing is captured: {text}"),
            Self::NoShadow(name) => format!("no shadow stands beside {name}; GET /shadows lists them"),
            Self::NoLetter(id) => format!("no dead letter has the id {id}; GET /dead-letters lists them"),
            Self::LettersBusy => {
                format!("{ADMIN_LETTERS_READS_MAX} callers read the dead letters already; ask again later")
            }
            Self::UnknownMark(mark) => format!(
                "the mark {mark} is not known: the host was started anew, or more than {LEDGER_MARKS_MAX} answers have had \
                 marks since; begin again with the mark of GET /ledger"
            ),
            Self::NoPlugin(name) => format!("no plugin is named {name}; GET /plugins lists them"),
            Self::Refused(refusal) => refusal.reason[..refusal.reason.floor_char_boundary(REFUSED_TEXT_BYTES_MAX)].into(),
            Self::NotRolledBack(text)
            | Self::Superseded(text)
            | Self::TooBusy(text)
            | Self::NotUnloaded(text)
            | Self::NotHeld(text)
            | Self::NoExamples(text)
            | Self::NotShadowed(text)
            | Self::NotPromoted(text)
            | Self::CapturesOff(text)
            | Self::TooManyCaptures(text)
            | Self::NotReplayed(text) => text.clone(),
            Self::TooManyUploads => {
                format!("{ADMIN_UPLOADS_MAX} components are being loaded already; send this one again later")
            }
            Self::TooManyWatchers => {
                format!("{ADMIN_WATCHERS_MAX} callers watch the host already; close one, or ask GET /overview instead")
            }
            Self::NotPersisted(text) => format!("the component serves until the host ends, but is not persisted: {text}"),
            Self::Host => "the host failed; its log says how".to_owned(),
        }
    }
}
