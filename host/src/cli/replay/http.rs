//! Messages sent by HTTP: each is posted by one of several threads, and its answer is counted by its status.

use super::outlet::Outlet;
use super::tally::Tally;
use crate::cli::dead_letters::send::{is_unsent, query};
use crate::cli::output::render::one_line;
use crate::config::{REPLAY_ANSWER_BYTES_MAX, check_name};
use crate::http::read_token;
use crate::record::choice::PlaceKind;
use crate::record::replay::{Incoming, Skip};
use crate::system::interrupt::Interrupt;
use crate::system::output::note;
use anyhow::{Context, bail};
use bytes::Bytes;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderName, Request, Uri};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many failures are told one by one.
const FAILURES_TOLD_MAX: u64 = 10;
/// How often answers are looked for at the end.
const LOOK: Duration = Duration::from_millis(10);
/// Headers that say how a request came, and which each request has of its own.
const OWN_HEADERS: [&str; 10] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "authorization",
];

/// A request that can be sent from any thread.
type Prepared = Request<Bytes>;

/// An address of HTTP, and who posts to it.
pub(super) struct ByHttp {
    url: String,
    /// Whether everything goes to this address, rather than to the route below it where it was captured.
    is_one_route: bool,
    token: Option<String>,
    in_flight: usize,
    in_flight_max: usize,
    requests: Sender<Prepared>,
    answers: Receiver<Answer>,
    failures_told: u64,
}

/// What came of a request.
enum Answer {
    Status(u16),
    /// Nobody is known to have answered.
    None(String),
    /// Nobody is there.
    Unsent(String),
}

impl ByHttp {
    /// Starts so many threads, each of which waits so long for an answer.
    ///
    /// # Errors
    /// When the address is none of HTTP, the token cannot be read, or the system gives no thread.
    pub(super) fn start(
        url: &str,
        token_file: Option<&Path>,
        in_flight_max: usize,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let parsed: Uri = url.parse().with_context(|| format!("`{url}` is no URL"))?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.query().is_some() {
            bail!("`{url}` is no URL such as http://127.0.0.1:5000 or http://127.0.0.1:5000/intake/");
        }
        let token = token_file.map(read_token).transpose().map_err(anyhow::Error::msg)?;
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(in_flight_max)
            .max_idle_connections_per_host(in_flight_max)
            .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
            .timeout_global(Some(timeout))
            .build()
            .into();
        let (requests, taken) = channel();
        let (answered, answers) = channel();
        let taken = Arc::new(Mutex::new(taken));
        for _ in 0..in_flight_max {
            let (agent, taken, answered) = (agent.clone(), Arc::clone(&taken), answered.clone());
            let thread = std::thread::Builder::new().name("posting".to_owned());
            thread.spawn(move || post(&agent, &taken, &answered)).context("starting threads")?;
        }
        Ok(Self {
            url: url.to_owned(),
            is_one_route: !matches!(parsed.path(), "" | "/"),
            token,
            in_flight: 0,
            in_flight_max,
            requests,
            answers,
            failures_told: 0,
        })
    }

    fn prepare(&self, message: &Incoming) -> Result<Prepared, Skip> {
        let Incoming { kind, name, metadata, frames, .. } = message;
        let [body] = &frames[..] else { return Err(Skip::SeveralFrames) };
        let address = match (self.is_one_route, kind) {
            (true, _) => format!("{}{}", self.url, query(metadata)),
            (false, PlaceKind::Route) if check_name(name).is_ok() => {
                format!("{}/{name}/{}", self.url.trim_end_matches('/'), query(metadata))
            }
            (false, PlaceKind::Route) => return Err(Skip::NoRequest),
            (false, _) => return Err(Skip::NoRoute),
        };
        let mut request = Request::post(address);
        for (key, value) in metadata {
            let header = match key.strip_prefix("http.header.") {
                None if key == "http.content-type" => Some(CONTENT_TYPE),
                None => None,
                // Of the headers that the route lists, the type of the body is told twice.
                Some(name) if OWN_HEADERS.contains(&name) || name == CONTENT_TYPE.as_str() => None,
                Some(name) => Some(HeaderName::from_bytes(name.as_bytes()).map_err(|_| Skip::NoRequest)?),
            };
            if let Some(header) = header {
                request = request.header(header, value);
            }
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(body.clone()).map_err(|_| Skip::NoRequest)
    }

    /// Counts the answers that are there.
    ///
    /// # Errors
    /// When nobody is there any more.
    fn count(&mut self, tally: &mut Tally) -> Result<(), String> {
        while let Ok(answer) = self.answers.try_recv() {
            self.in_flight -= 1;
            let failure = match answer {
                Answer::Status(status) => {
                    *tally.statuses.entry(status).or_default() += 1;
                    if (200..300).contains(&status) {
                        tally.sent += 1;
                        continue;
                    }
                    format!("{} answers {status}", self.url)
                }
                Answer::None(why) => why,
                Answer::Unsent(why) => {
                    tally.failed += 1;
                    return Err(format!("no host answers at {}: {why}: start one, or name it with --http", self.url));
                }
            };
            tally.failed += 1;
            self.failures_told += 1;
            if self.failures_told <= FAILURES_TOLD_MAX {
                note(one_line(&failure));
            }
        }
        Ok(())
    }
}

impl Outlet for ByHttp {
    fn receiver(&self) -> String {
        format!("the host at {}", self.url)
    }

    fn is_ready(&mut self) -> Result<bool, String> {
        Ok(true)
    }

    fn refuses(&self, message: &Incoming) -> Option<Skip> {
        self.prepare(message).err()
    }

    fn offer(&mut self, message: &Incoming, tally: &mut Tally) -> Result<bool, String> {
        self.count(tally)?;
        if self.in_flight >= self.in_flight_max {
            return Ok(false);
        }
        match self.prepare(message) {
            Ok(request) => {
                self.requests.send(request).map_err(|_| "the threads that post have ended".to_owned())?;
                self.in_flight += 1;
            }
            Err(skip) => tally.skip(skip),
        }
        Ok(true)
    }

    fn end(mut self: Box<Self>, wait: Duration, interrupt: &Interrupt, tally: &mut Tally) -> Result<(), String> {
        let started = Instant::now();
        loop {
            // Those behind the one that told of it will say the same.
            let counted = self.count(tally);
            if self.in_flight == 0 || counted.is_err() {
                tally.failed += self.in_flight as u64;
                return counted;
            }
            // The threads know better how long to wait, and need a moment to tell.
            let is_over = started.elapsed() > wait + CONNECT_TIMEOUT;
            if is_over || interrupt.comes_within(LOOK) {
                tally.failed += self.in_flight as u64;
                return Err(format!("{} requests are without an answer", self.in_flight));
            }
        }
    }
}

/// Posts what it is given until there is nothing more.
fn post(agent: &ureq::Agent, taken: &Mutex<Receiver<Prepared>>, answered: &Sender<Answer>) {
    loop {
        let next = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(request) = next else { return };
        let (parts, body) = request.into_parts();
        let answer = match agent.run(Request::from_parts(parts, &body[..])) {
            Ok(mut answer) => {
                let status = answer.status().as_u16();
                // Whatever it says: the connection serves the next request then.
                let mut body = answer.body_mut().as_reader().take(REPLAY_ANSWER_BYTES_MAX);
                match std::io::copy(&mut body, &mut std::io::sink()) {
                    Ok(_) => Answer::Status(status),
                    Err(error) => Answer::None(format!("an answer with {status} breaks off: {error}")),
                }
            }
            Err(error) if is_unsent(&error) => Answer::Unsent(error.to_string()),
            Err(error) => Answer::None(format!("a request has no answer: {error}")),
        };
        if answered.send(answer).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: PlaceKind, frames: &[&'static str], pairs: &[(&str, &str)]) -> Incoming {
        let metadata = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let frames = frames.iter().map(|frame| Bytes::from_static(frame.as_bytes())).collect();
        Incoming { time: 0, kind, name: "intake".to_owned(), metadata, frames, told: None }
    }

    fn outlet(url: &str) -> ByHttp {
        ByHttp::start(url, None, 1, Duration::from_secs(1)).expect("a URL")
    }

    #[test]
    fn a_request_has_the_query_the_type_and_the_headers_that_it_came_with() {
        let pairs = [
            ("tidegate.peer", "x"),
            ("http.method", "GET"),
            ("query.a", "b c"),
            ("http.content-type", "text/plain"),
            ("http.header.x-sensor", "7"),
            ("http.header.host", "elsewhere"),
            ("http.header.content-type", "text/plain"),
        ];
        let request = outlet("http://h:1").prepare(&message(PlaceKind::Route, &["body"], &pairs)).expect("a request");
        assert_eq!(request.uri(), "http://h:1/intake/?a=b%20c");
        let headers: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(headers, [("content-type", &b"text/plain"[..]), ("x-sensor", b"7")]);
        assert_eq!((request.method().as_str(), &request.body()[..]), ("POST", &b"body"[..]));
    }

    #[test]
    fn what_makes_no_request_is_left_out() {
        let (base, one) = (outlet("http://h:1/"), outlet("http://h:1/other/"));
        let flow = message(PlaceKind::Flow, &["body"], &[]);
        assert_eq!(base.refuses(&flow), Some(Skip::NoRoute));
        assert_eq!(one.prepare(&flow).expect("a request").uri(), "http://h:1/other/");
        assert_eq!(one.refuses(&message(PlaceKind::Flow, &["t", "body"], &[])), Some(Skip::SeveralFrames));
        let broken = message(PlaceKind::Route, &["body"], &[("http.header.x", "a\nb")]);
        assert_eq!(base.refuses(&broken), Some(Skip::NoRequest));
        for url in ["h:1", "ftp://h", "http://h/?a"] {
            assert!(ByHttp::start(url, None, 1, Duration::from_secs(1)).is_err(), "{url}");
        }
    }
}
