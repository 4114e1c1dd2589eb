//! Which form of an answer a caller prefers, by its `Accept` headers.

use warp::http::HeaderMap;
use warp::http::header::ACCEPT;

/// Whether OpenMetrics is asked for, and Prometheus' own form not asked for more.
pub(super) fn prefers_openmetrics(headers: &HeaderMap) -> bool {
    prefers(headers, "application/openmetrics-text")
}

/// Whether JSON is asked for, and plain text not asked for more.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    prefers(headers, "application/json")
}

fn prefers(headers: &HeaderMap, wanted: &str) -> bool {
    let ranges: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let wanted = quality(&ranges, wanted);
    wanted > 0.0 && wanted >= quality(&ranges, "text/plain")
}

/// The weight of a media type by its own name, the highest if there are several; 0 if it is not named.
fn quality(ranges: &[&str], wanted: &str) -> f32 {
    let mut highest = 0.0_f32;
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        if parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted)) {
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            highest = highest.max(weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0)));
        }
    }
    highest
}

#[cfg(test)]
mod tests {
    use super::*;
    use warp::http::HeaderValue;

    fn prefers(accept: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        prefers_openmetrics(&headers)
    }

    #[test]
    fn openmetrics_has_to_be_asked_for_by_name() {
        for accept in [
            &["application/openmetrics-text"][..],
            &["text/plain;q=0.5", "Application/OpenMetrics-Text; version=1.0.0"],
            // What a Prometheus server sends.
            &["application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
               application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
               text/plain;version=0.0.4;q=0.3,*/*;q=0.2"],
        ] {
            assert!(prefers(accept), "{accept:?}");
        }
        for accept in [
            &[][..],
            &["*/*"],
            &["text/plain"],
            &["application/openmetrics-text;q=0"],
            &["application/openmetrics-text;q=0.1, text/plain;q=0.2"],
            &["application/openmetrics-text;q=x"],
        ] {
            assert!(!prefers(accept), "{accept:?}");
        }
    }
}
