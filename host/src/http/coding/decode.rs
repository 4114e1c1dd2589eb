//! The body of a request without its coding, within the bounds of any body.

use super::{Coding, DECODED_AT_ONCE, TURN_BYTES, coder};
use crate::http::problem::Problem;
use flate2::write::MultiGzDecoder;
use std::io::{self, Write};

/// The largest window that a zstd frame may ask for, as a power of two: RFC 9659 has no larger one on the web.
const WINDOW_LOG_MAX: u32 = 23;

/// What a body is without its coding. `make_room` is asked for each piece of memory before it is taken, and `bound` has
/// its name and its bytes: nothing is kept of what is past it.
///
/// # Errors
/// When the body is over its bound, has no room, or is broken or cut off.
pub(crate) async fn decode(
    coding: Coding,
    body: &[u8],
    (name, bytes_max): (&'static str, usize),
    make_room: impl FnMut(usize) -> Result<(), Problem> + Send,
) -> Result<Vec<u8>, Problem> {
    let _coder = coder().await;
    let bounded = Bounded { bytes: Vec::new(), name, bytes_max, make_room, problem: None };
    let mut decoder = Decoder::new(coding, bounded).map_err(|error| broken(coding, &error))?;
    let (mut turn_in, mut turn_out) = (0, 0);
    for piece in body.chunks(DECODED_AT_ONCE) {
        let written = decoder.write_all(piece);
        if let Some(problem) = decoder.bounded().problem.take() {
            return Err(problem);
        }
        written.map_err(|error| broken(coding, &error))?;
        let out = decoder.bounded().bytes.len();
        turn_in += piece.len();
        if turn_in >= TURN_BYTES || out - turn_out >= TURN_BYTES {
            (turn_in, turn_out) = (0, out);
            tokio::task::yield_now().await;
        }
    }
    let finished = decoder.finish();
    let Bounded { bytes, problem, .. } = decoder.bounded();
    match (problem.take(), finished) {
        (Some(problem), _) => Err(problem),
        (None, Err(error)) => Err(broken(coding, &error)),
        (None, Ok(())) => Ok(std::mem::take(bytes)),
    }
}

fn broken(coding: Coding, error: &io::Error) -> Problem {
    Problem::Malformed(format!("the body of the request is no whole {}: {error}", coding.name()))
}

enum Decoder<M: FnMut(usize) -> Result<(), Problem>> {
    Gzip(Box<MultiGzDecoder<Bounded<M>>>),
    Zstd(zstd::stream::write::Decoder<'static, Bounded<M>>),
}

impl<M: FnMut(usize) -> Result<(), Problem>> Decoder<M> {
    fn new(coding: Coding, bounded: Bounded<M>) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(bounded))),
            Coding::Zstd => {
                let mut decoder = zstd::stream::write::Decoder::new(bounded)?;
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                Self::Zstd(decoder)
            }
        })
    }

    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
            Self::Zstd(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zstd(decoder) => decoder.do_finish(),
        }
    }

    fn bounded(&mut self) -> &mut Bounded<M> {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

/// Takes bytes in up to the bound, with room that is made before they are stored.
struct Bounded<M> {
    bytes: Vec<u8>,
    name: &'static str,
    bytes_max: usize,
    make_room: M,
    /// Why it takes no more.
    problem: Option<Problem>,
}

impl<M: FnMut(usize) -> Result<(), Problem>> Bounded<M> {
    fn take(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let Self { bytes, name, bytes_max, make_room, .. } = self;
        let length = bytes.len() + piece.len();
        if length > *bytes_max {
            return Err(Problem::BodyTooLarge(name, *bytes_max));
        }
        if length > bytes.capacity() {
            let wanted = (2 * bytes.capacity()).max(TURN_BYTES).min(*bytes_max).max(length);
            make_room(wanted - bytes.capacity())?;
            bytes.reserve_exact(wanted - bytes.len());
        }
        bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl<M: FnMut(usize) -> Result<(), Problem>> Write for Bounded<M> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.problem.is_none() {
            match self.take(piece) {
                Ok(()) => return Ok(piece.len()),
                Err(problem) => self.problem = Some(problem),
            }
        }
        Err(io::Error::other("it takes no more"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::coding::encode;
    use std::time::Duration;

    async fn decoded(coding: Coding, body: &[u8], bytes_max: usize) -> (Result<Vec<u8>, Problem>, usize) {
        let mut room = 0;
        let make_room = |bytes| {
            room += bytes;
            Ok(())
        };
        let decoded = decode(coding, body, ("bytes_max", bytes_max), make_room).await;
        (decoded, room)
    }

    async fn encoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        encode(coding, bytes, usize::MAX).await.expect("encoded")
    }

    #[tokio::test]
    async fn what_was_encoded_is_decoded_within_its_bound() {
        let text: Vec<u8> = (0..300_000_u32).flat_map(|number| (number % 1_000).to_string().into_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Zstd] {
            let body = encoded(coding, &text).await;
            assert!(body.len() < text.len() / 2);
            let (whole, room) = decoded(coding, &body, text.len()).await;
            assert!(whole.is_ok_and(|whole| whole == text) && room <= text.len());
            let (over, _) = decoded(coding, &body, text.len() - 1).await;
            assert!(matches!(over, Err(Problem::BodyTooLarge("bytes_max", _))), "{over:?}");
            // Members and frames may follow each other.
            let both = [encoded(coding, b"a").await, encoded(coding, b"b").await].concat();
            assert_eq!(decoded(coding, &both, 2).await.0.ok(), Some(b"ab".to_vec()));
        }
    }

    #[tokio::test]
    async fn a_bomb_takes_no_more_room_than_its_bound() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let bomb = encoded(coding, &vec![0; 64 << 20]).await;
            let (over, room) = decoded(coding, &bomb, 1 << 20).await;
            assert!(matches!(over, Err(Problem::BodyTooLarge(..))), "{over:?}");
            assert!(room <= 1 << 20, "{room}");
            let none = decode(coding, &bomb, ("", 1 << 20), |_| Err(Problem::NoRoom("", 0))).await;
            assert!(matches!(none, Err(Problem::NoRoom(..))), "{none:?}");
        }
    }

    #[tokio::test]
    async fn what_is_broken_or_cut_off_is_refused() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let body = encoded(coding, b"some text that is not very short").await;
            for length in 0..body.len() {
                let (cut, _) = decoded(coding, &body[..length], 100).await;
                assert!(matches!(cut, Err(Problem::Malformed(_))), "{coding:?} {length}: {cut:?}");
            }
            let more = decoded(coding, &[&body[..], b"more"].concat(), 100).await.0;
            assert!(matches!(more, Err(Problem::Malformed(_))), "{coding:?}: {more:?}");
        }
    }

    #[tokio::test]
    async fn others_have_their_turn() {
        let bomb = encoded(Coding::Zstd, &vec![0; 256 << 20]).await;
        let mut turns = 0;
        let others = async {
            loop {
                turns += 1;
                tokio::time::sleep(Duration::ZERO).await;
            }
        };
        tokio::select! {
            biased;
            () = others => {}
            (whole, _) = decoded(Coding::Zstd, &bomb, 256 << 20) => assert!(whole.is_ok()),
        }
        assert!(turns > 10, "{turns}");
    }
}
