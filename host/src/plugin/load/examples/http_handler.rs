//! Examples called `http-handler`: a request in, and what is promised of the response that comes out.

use super::difference::{difference, same, same_bytes, show};
use super::{Content, ErrorKind, Exemplary};
use crate::plugin::handler_request::{HandlerRequest, WrittenRequest};
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::roles::whole_response::WholeResponse;
use bytes::Bytes;
use hyper::Response;
use hyper::header::{GetAll, HeaderName, HeaderValue};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The name of the request, for the handler to read.
const REQUEST_ID: &str = "example";

#[derive(Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Input(HandlerRequest);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    body: Option<Content>,
}

/// One value of a header, or several of the same name.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a header has one value that is text, or a list of such")]
enum Values {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<Name, Values>,
    body: Option<Content>,
    error: Option<ErrorKind>,
    error_contains: Option<String>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match HeaderName::try_from(&name) {
            Ok(_) => Ok(Self(name)),
            Err(_) => Err(format!("`{name}` is no name of a header")),
        }
    }
}

impl Values {
    fn list(&self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value.clone()],
            Self::Several(values) => values.clone(),
        }
    }
}

impl TryFrom<Written> for Input {
    type Error = String;

    fn try_from(Written { method, path, headers, body }: Written) -> Result<Self, String> {
        let pairs =
            headers.iter().flat_map(|(name, values)| values.list().into_iter().map(|value| (name.clone(), value)));
        let (headers, body) = (pairs.collect(), body.map(|Content(body)| body));
        WrittenRequest { method, path, headers, body }.checked(REQUEST_ID).map(Self)
    }
}

pub(super) enum OfHandler {}

impl Exemplary for OfHandler {
    type Role = WholeResponse;
    type Input = Input;
    type Expected = Expected;

    const NAME: &str = "http-handler";

    fn input(_plugin: &Plugin, Input(request): &Input) -> HandlerRequest {
        request.clone()
    }

    fn error(expected: &Expected) -> (Option<ErrorKind>, Option<&str>) {
        (expected.error, expected.error_contains.as_deref())
    }

    fn compare(expected: &Expected, response: Response<Bytes>) -> Result<(), String> {
        let status = response.status().as_u16();
        if let Some(expected) = expected.status.filter(|expected| *expected != status) {
            // The body of another status says more than its number.
            return Err(difference("status", expected, format!("{status}, with the body {}", show(response.body()))));
        }
        for (Name(name), values) in &expected.headers {
            compare_header(name, &values.list(), &response.headers().get_all(name))?;
        }
        match &expected.body {
            Some(Content(body)) => same_bytes("body", body, response.body()),
            None => Ok(()),
        }
    }
}

/// All values of the name, in their order; an empty list expects none.
fn compare_header(name: &str, expected: &[String], got: &GetAll<'_, HeaderValue>) -> Result<(), String> {
    let got: Vec<&[u8]> = got.iter().map(HeaderValue::as_bytes).collect();
    if let ([expected], [got]) = (expected, &got[..]) {
        return same_bytes(&format!("header {name}"), expected.as_bytes(), got);
    }
    let got: Vec<_> = got.into_iter().map(String::from_utf8_lossy).collect();
    let expected: Vec<_> = expected.iter().map(|value| value.as_str().into()).collect();
    same(&format!("header {name}"), &expected, &got)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(expected: &str, response: Response<&'static str>) -> Result<(), String> {
        OfHandler::compare(&toml::from_str(expected).unwrap(), response.map(Bytes::from))
    }

    fn response() -> hyper::http::response::Builder {
        Response::builder().status(404).header("X-A", "1").header("set-cookie", "a=1").header("set-cookie", "b=2")
    }

    #[test]
    fn what_is_left_out_may_be_anything() {
        for expected in
            ["", "status = 404", "body = 'none'", "headers = { x-a = '1', Set-Cookie = ['a=1', 'b=2'], x-b = [] }"]
        {
            assert_eq!(compared(expected, response().body("none").unwrap()), Ok(()), "{expected}");
        }
    }

    #[test]
    fn each_difference_is_shown() {
        for (expected, words) in [
            ("status = 200", "status differs\n   expected 200\n   got      404, with the body \"none\""),
            ("body = 'gone'", "body differs at byte 0\n   expected \"gone\"\n"),
            ("headers.x-a = '2'", "header x-a differs at byte 0\n   expected \"2\"\n             ^\n   got      \"1\""),
            (
                "headers.set-cookie = 'a=1'",
                "header set-cookie differs\n   expected [\"a=1\"]\n   got      [\"a=1\", \"b=2\"]",
            ),
            ("headers.set-cookie = ['b=2', 'a=1']", "header set-cookie differs\n"),
            ("headers.x-a = []", "header x-a differs\n   expected []\n   got      [\"1\"]"),
            ("headers.x-b = 'c'", "header x-b differs\n   expected [\"c\"]\n"),
        ] {
            let found = compared(expected, response().body("none").unwrap()).unwrap_err();
            assert!(found.starts_with(words), "{expected}: {found}");
        }
    }
}
