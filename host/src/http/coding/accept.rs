//! What a client says of the codings of its answer: `Accept-Encoding` (RFC 9110, section 12.5.3).

use super::Coding;
use warp::http::HeaderMap;
use warp::http::header::ACCEPT_ENCODING;

/// The coding that a client prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) coding: Coding,
    /// It takes no answer without a coding.
    pub(crate) always: bool,
}

impl Wanted {
    /// Of those that are known the one with the highest weight; none where the client names none, forbids both, or prefers
    /// an answer as it is.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
        let (mut gzip, mut zstd, mut identity, mut other) = (None, None, None, None);
        for (name, weight) in lists.flat_map(|list| list.split(',')).filter_map(weighted) {
            let named = match Coding::named(name) {
                Some(Coding::Gzip) => &mut gzip,
                Some(Coding::Zstd) => &mut zstd,
                None if name.eq_ignore_ascii_case("identity") => &mut identity,
                None if name == "*" => &mut other,
                None => continue,
            };
            *named = Some(weight);
        }
        let weight = |named: Option<u16>| named.or(other).unwrap_or(0);
        let (gzip, zstd) = (weight(gzip), weight(zstd));
        let (coding, best) = if zstd >= gzip { (Coding::Zstd, zstd) } else { (Coding::Gzip, gzip) };
        let always = identity.or(other) == Some(0);
        (best > 0 && identity.is_none_or(|identity| identity <= best)).then_some(Self { coding, always })
    }
}

/// One of a list, with its weight in thousandths; none if it is none.
fn weighted(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = match parts.next() {
        None => 1_000,
        Some(parameter) => {
            let (key, value) = parameter.split_once('=')?;
            let value: f32 = key.eq_ignore_ascii_case("q").then(|| value.parse().ok()).flatten()?;
            if !(0.0..=1.0).contains(&value) {
                return None;
            }
            (value * 1_000.0).round() as u16
        }
    };
    Some((name, weight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use warp::http::HeaderValue;

    fn wanted(lists: &[&str]) -> Option<(&'static str, bool)> {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_str(list).expect("a value"));
        }
        Wanted::of(&headers).map(|wanted| (wanted.coding.name(), wanted.always))
    }

    #[test]
    fn the_highest_weight_wins() {
        for (lists, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["gzip"], Some(("gzip", false))),
            (&["X-GZIP ; Q=0.5"], Some(("gzip", false))),
            (&["gzip, deflate, br, zstd"], Some(("zstd", false))),
            (&["gzip;q=1.0, zstd;q=0.9"], Some(("gzip", false))),
            (&["gzip;q=0.001", "zstd;q=0"], Some(("gzip", false))),
            (&["br"], None),
            (&["*"], Some(("zstd", false))),
            (&["*;q=0.5, zstd;q=0"], Some(("gzip", false))),
            (&["gzip;q=0, zstd;q=0"], None),
            (&["*;q=0"], None),
            (&["identity"], None),
            (&["identity, gzip;q=0.5"], None),
            (&["identity;q=0.5, gzip"], Some(("gzip", false))),
            (&["identity;q=0, gzip"], Some(("gzip", true))),
            (&["gzip, *;q=0"], Some(("gzip", true))),
            (&["identity;q=0.2, gzip, *;q=0"], Some(("gzip", false))),
            (&["gzip;q=2, zstd;q=x, br;q"], None),
            (&["gzip;level=3"], None),
        ] {
            assert_eq!(wanted(lists), expected, "{lists:?}");
        }
    }
}
