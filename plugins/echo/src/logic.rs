//! What the plugin replies to a request.

/// A wait in milliseconds, and the frames that follow it.
pub type Reply = (u32, Vec<Vec<u8>>);

/// The one reply: the frames of the request, at once.
pub fn reply(frames: Vec<Vec<u8>>) -> Reply {
    (0, frames)
}

#[cfg(test)]
mod tests {
    use super::reply;

    #[test]
    fn the_frames_come_back_as_they_are() {
        for frames in [vec![vec![]], vec![b"one".to_vec()], vec![vec![0, 255], vec![], b"three".to_vec()]] {
            assert_eq!(reply(frames.clone()), (0, frames));
        }
    }
}
