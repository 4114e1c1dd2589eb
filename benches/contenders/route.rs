//! The route of `downcase` in warp, with the logic inline.

#[path = "../../plugins/downcase/src/logic.rs"]
mod downcase;

use percent_encoding::percent_decode_str;
use warp::Filter;

/// `GET /downcase/?param=TEXT`.
pub fn downcase() -> impl Filter<Extract = (String,), Error = warp::Rejection> + Clone {
    warp::path("downcase").and(warp::path::end()).and(warp::query::raw()).map(|query: String| {
        let parameter = percent_decode_str(query.strip_prefix("param=").unwrap_or_default());
        let answer = downcase::answer(&parameter.collect::<Vec<u8>>())
            .and_then(|answer| String::from_utf8(answer).map_err(|error| error.to_string()));
        answer.unwrap_or_else(|error| error)
    })
}
