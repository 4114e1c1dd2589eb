//! Pages of other origins, as the Fetch standard has it: which may read an answer, and what they may ask for.

use crate::config;
use crate::http::answer::WHO_HEADERS;
use std::sync::Arc;
use warp::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use warp::http::request::Parts;
use warp::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use warp::reply::Response;

/// How long a browser may keep the answer to a preflight, in seconds: a change of the configuration shows after that.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// What a route allows to pages of other origins.
#[derive(Clone, Debug)]
pub struct CorsPolicy {
    origins: Vec<String>,
    methods: &'static str,
    request_headers: Vec<String>,
    exposed: Option<HeaderValue>,
}

/// Finds the policy of a path, if it has one.
pub type CorsLookup = Arc<dyn Fn(&str) -> Option<Arc<CorsPolicy>> + Send + Sync>;

impl CorsPolicy {
    /// As configured; none where the route has no `cors`. A surface with a token takes `authorization` too.
    pub fn of(route: &config::Route, methods: &'static str, has_token: bool) -> Option<Self> {
        if route.cors.is_empty() {
            return None;
        }
        let token = has_token.then_some("authorization");
        let coding = route.decompress.then_some("content-encoding");
        let more = [Some("content-type"), token, coding].into_iter().flatten().map(str::to_owned);
        let request_headers = route.headers.iter().map(|name| name.to_ascii_lowercase()).chain(more).collect();
        let exposed = WHO_HEADERS.into_iter().chain(route.response_headers.iter().map(String::as_str));
        let exposed = HeaderValue::try_from(exposed.collect::<Vec<_>>().join(", ")).ok();
        Some(Self { origins: route.cors.clone(), methods, request_headers, exposed })
    }

    /// Of the streams of events; none where nobody else's pages may follow them.
    pub fn of_events(events: &config::Events, has_token: bool) -> Option<Self> {
        if !events.enabled || events.origins.is_empty() {
            return None;
        }
        let token = has_token.then_some("authorization");
        let request_headers = ["last-event-id", "cache-control"].into_iter().chain(token).map(str::to_owned).collect();
        let exposed = HeaderValue::from_static("tidegate-request, retry-after");
        Some(Self { origins: events.origins.clone(), methods: "GET, HEAD", request_headers, exposed: Some(exposed) })
    }

    /// Whether a page of this origin may read answers.
    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes())
    }
}

/// A request of a route that has a policy.
pub(super) struct CrossOrigin {
    policy: Arc<CorsPolicy>,
    /// Of the page that asks, if it may read the answer.
    allowed: Option<HeaderValue>,
    /// What a preflight asks for.
    preflight: Option<Vec<String>>,
}

impl CrossOrigin {
    pub(super) fn new(policy: Arc<CorsPolicy>, head: &Parts) -> Self {
        let origin = head.headers.get(ORIGIN);
        let asks = head.method == Method::OPTIONS && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let preflight = (asks && origin.is_some()).then(|| asked(&head.headers));
        let allowed = origin.filter(|origin| policy.allows(origin)).cloned();
        Self { policy, allowed, preflight }
    }

    /// Whether a browser asks what its page may do. It sends no token with that.
    pub(super) fn is_preflight(&self) -> bool {
        self.preflight.is_some()
    }

    /// The answer to a preflight, without the headers that every answer gets.
    pub(super) fn answer(&self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        let by = "access-control-request-method, access-control-request-headers";
        headers.insert(VARY, HeaderValue::from_static(by));
        if self.allowed.is_none() {
            return response;
        }
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(self.policy.methods));
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        let asked = self.preflight.iter().flatten();
        let granted: Vec<_> =
            asked.filter(|name| self.policy.request_headers.contains(name)).map(String::as_str).collect();
        if let Some(granted) = HeaderValue::try_from(granted.join(", ")).ok().filter(|granted| !granted.is_empty()) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, granted);
        }
        response
    }

    /// Says in an answer, an error's too, who may read it. What a handler says of that is taken out: the host decides.
    pub(super) fn complete(self, headers: &mut HeaderMap) {
        let Self { policy, allowed, preflight } = self;
        if preflight.is_none() {
            let said = headers.keys().filter(|name| name.as_str().starts_with("access-control-"));
            let said: Vec<HeaderName> = said.cloned().collect();
            said.iter().for_each(|name| drop(headers.remove(name)));
        }
        // Also to who names no origin: a cache may hand the answer on to somebody who does.
        headers.append(VARY, HeaderValue::from_static("origin"));
        let Some(origin) = allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if let Some(exposed) = policy.exposed.clone().filter(|_| preflight.is_none()) {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

/// The headers that a preflight asks for, in lower case.
fn asked(headers: &HeaderMap) -> Vec<String> {
    let lists = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).into_iter().filter_map(|list| list.to_str().ok());
    let names = lists.flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_by(route: &config::Route, has_token: bool, head: &[(&str, &str)], method: Method) -> (Response, bool) {
        let mut request = warp::http::Request::new(());
        *request.method_mut() = method;
        for (name, value) in head {
            let name = HeaderName::try_from(*name).expect("a name");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let policy = CorsPolicy::of(route, "GET, POST", has_token).expect("a policy");
        let asked = CrossOrigin::new(Arc::new(policy), &request.into_parts().0);
        let is_preflight = asked.is_preflight();
        let mut response = if is_preflight { asked.answer() } else { Response::default() };
        asked.complete(response.headers_mut());
        (response, is_preflight)
    }

    fn route(cors: &[&str]) -> config::Route {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        config::Route { cors: owned(cors), headers: owned(&["x-sensor"]), ..config::Route::default() }
    }

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().expect("text"))
    }

    #[test]
    fn a_preflight_grants_what_is_asked_within_what_the_route_lists() {
        let ask = |token, origin| {
            let head = [
                ("origin", origin),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "X-Sensor, authorization"),
                ("access-control-request-headers", "cookie,content-type"),
            ];
            asked_by(&route(&["https://app.example"]), token, &head, Method::OPTIONS)
        };
        let (response, is_preflight) = ask(false, "https://app.example");
        assert!(is_preflight);
        assert_eq!(header(&response, "access-control-allow-headers"), Some("x-sensor, content-type"));
        assert_eq!(header(&response, "access-control-allow-methods"), Some("GET, POST"));
        assert_eq!(header(&response, "access-control-allow-origin"), Some("https://app.example"));
        let (response, _) = ask(true, "https://app.example");
        assert_eq!(header(&response, "access-control-allow-headers"), Some("x-sensor, authorization, content-type"));
        for other in ["https://app.example.evil", "https://app.exampl", "http://app.example", "null"] {
            let (response, is_preflight) = ask(false, other);
            assert!(is_preflight && response.status() == 204, "{other}");
            let names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
            assert_eq!(names, ["vary"], "{other}");
        }
    }

    #[test]
    fn an_answer_names_the_one_origin_that_asked() {
        let asks = |cors: &[&str]| asked_by(&route(cors), false, &[("origin", "https://b")], Method::GET).0;
        let response = asks(&["https://a", "https://b"]);
        assert_eq!(header(&response, "access-control-allow-origin"), Some("https://b"));
        assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
        assert!(header(&response, "access-control-expose-headers").is_some_and(|names| names.contains("tidegate-")));
        let response = asks(&["https://a"]);
        assert_eq!((header(&response, "vary"), response.headers().len()), (Some("origin"), 1));
        let (response, is_preflight) = asked_by(&route(&["https://b"]), false, &[], Method::OPTIONS);
        assert!(!is_preflight, "an OPTIONS of its own");
        assert_eq!((header(&response, "vary"), response.headers().len()), (Some("origin"), 1));
    }
}
