//! What the broker loop and its workers say to each other, as frames.

use super::envelope::Frames;
use super::origin::Origin;
use crate::ledger::Reason;

/// The backend, to which the workers connect.
pub(super) const BACKEND: &str = "inproc://backend";

/// How a request ended at a worker: its replies are on their way, or there are none for this reason.
pub(super) type Verdict = Result<(), Reason>;

/// One request on its way to a worker: `[number, key, identity, …]`, an empty key for none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// Counts the requests of this broker from 1.
    pub(super) number: u64,
    /// The CURVE key that its sender showed, in Z85.
    pub(super) key: Option<String>,
    /// The message as it came in at the frontend.
    pub(super) message: Frames,
}

impl Job {
    pub(super) fn into_frames(self) -> Frames {
        let mut frames = self.message;
        let key = self.key.unwrap_or_default().into_bytes();
        frames.splice(0..0, [self.number.to_be_bytes().to_vec(), key]);
        frames
    }

    pub(super) fn from_frames(mut frames: Frames) -> Option<Self> {
        let [first, key, ..] = frames.as_slice() else { return None };
        let number = number(first)?;
        let key = Some(String::from_utf8(key.clone()).ok()?).filter(|key| !key.is_empty());
        frames.drain(..2);
        Some(Self { number, key, message: frames })
    }
}

/// What a worker says of a request: its replies, then its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// `[delay and origin, identity, …]`: a message for the frontend, this long after the policy returned.
    Reply { delay_ms: u64, origin: Origin, message: Frames },
    /// `[number, verdict]`: the last word on a request.
    End { number: u64, verdict: Verdict },
}

/// What a verdict can be, by its code.
const VERDICTS: [Verdict; 19] = [
    Ok(()),
    Err(Reason::Abandoned),
    Err(Reason::CallFailed),
    Err(Reason::DeadlineExceeded),
    Err(Reason::EmptySlot),
    Err(Reason::Failed),
    Err(Reason::Malformed),
    Err(Reason::DelayTooLong),
    Err(Reason::NoFrames),
    Err(Reason::OverMemory),
    Err(Reason::OverOutput),
    Err(Reason::OverStack),
    Err(Reason::OverTable),
    Err(Reason::Panicked),
    Err(Reason::Paused),
    Err(Reason::Rejected),
    Err(Reason::TooManyCalls),
    Err(Reason::TooManyReplies),
    Err(Reason::Trapped),
];

/// The code of a verdict that has none of its own: the call failed, somehow.
const CALL_FAILED: u8 = 2;

impl Note {
    pub(super) fn into_frames(self) -> Frames {
        match self {
            Self::Reply { delay_ms, origin, mut message } => {
                message.insert(0, [&delay_ms.to_be_bytes(), origin.as_bytes()].concat());
                message
            }
            Self::End { number, verdict } => {
                let code =
                    (0..).zip(VERDICTS).find(|(_, known)| *known == verdict).map_or(CALL_FAILED, |(code, _)| code);
                vec![number.to_be_bytes().to_vec(), vec![code]]
            }
        }
    }

    pub(super) fn from_frames(mut frames: Frames) -> Option<Self> {
        let (head, rest) = frames.first()?.split_first_chunk()?;
        let first = u64::from_be_bytes(*head);
        match frames.as_slice() {
            // A reply has an identity and a body at least, so two frames are an end.
            [_, code] if rest.is_empty() => {
                let verdict = *VERDICTS.get(usize::from(*code.first()?))?;
                Some(Self::End { number: first, verdict })
            }
            [_, _, _, ..] => {
                let origin = Origin::from_bytes(rest.to_vec());
                frames.remove(0);
                Some(Self::Reply { delay_ms: first, origin, message: frames })
            }
            _ => None,
        }
    }
}

fn number(frame: &[u8]) -> Option<u64> {
    frame.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_arrives_as_it_was_sent() {
        let message = vec![b"id".to_vec(), vec![], b"body".to_vec()];
        for key in [None, Some("Z85".to_owned())] {
            let job = Job { number: 7, key: key.clone(), message: message.clone() };
            assert_eq!(Job::from_frames(job.into_frames()), Some(Job { number: 7, key, message: message.clone() }));
        }
        assert_eq!(Job::from_frames(vec![]), None);
        assert_eq!(Job::from_frames(vec![b"short".to_vec()]), None);
    }

    #[test]
    fn a_note_arrives_as_it_was_sent() {
        let reply = |message: &[&str]| Note::Reply {
            delay_ms: 500,
            origin: Origin::new("1-2", 7, None),
            message: message.iter().map(|frame| frame.as_bytes().to_vec()).collect(),
        };
        for message in [["id", ""].as_slice(), &["id", "body"], &["id", "", "body"]] {
            assert_eq!(Note::from_frames(reply(message).into_frames()), Some(reply(message)));
        }
        for verdict in VERDICTS {
            let frames = Note::End { number: 9, verdict }.into_frames();
            assert_eq!(Note::from_frames(frames), Some(Note::End { number: 9, verdict }));
        }
        assert_eq!(Note::from_frames(vec![b"short".to_vec()]), None);
    }

    #[test]
    fn a_verdict_without_a_code_is_a_failed_call() {
        let frames = Note::End { number: 1, verdict: Err(Reason::QueueFull) }.into_frames();
        assert_eq!(Note::from_frames(frames), Some(Note::End { number: 1, verdict: Err(Reason::CallFailed) }));
    }
}
