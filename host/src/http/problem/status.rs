//! The status that each problem is answered with.

use super::Problem;
use crate::flow::Fault;
use warp::http::StatusCode;

impl Problem {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::NoAdminToken => StatusCode::UNAUTHORIZED,
            Self::Foreign(_) | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::WebSocketVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::NoWebSocketVersion13 => StatusCode::UPGRADE_REQUIRED,
            Self::NoRoute
            | Self::NoAdminRoute
            | Self::NoBroker
            | Self::NoFlow(_)
            | Self::NoPool(_)
            | Self::NoWorker { .. }
            | Self::TailOff
            | Self::NoRouteNamed(_)
            | Self::NoLetters
            | Self::NoLetter(_)
            | Self::CapturesOff(_)
            | Self::NoCapture(_)
            | Self::NoShadow(_)
            | Self::NothingToCapture(_)
            | Self::NoPlugin(_) => StatusCode::NOT_FOUND,
            Self::NotRolledBack(_)
            | Self::Superseded(_)
            | Self::NotUnloaded(_)
            | Self::NotReplayed(_)
            | Self::NotHeld(_)
            | Self::NotShadowed(_)
            | Self::NotPromoted(_)
            | Self::NoExamples(_) => StatusCode::CONFLICT,
            Self::UnknownMark(_) => StatusCode::GONE,
            Self::Refused(_) | Self::NotReconfigured(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotPersisted(_) | Self::NotCaptured(_) | Self::Host => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge(..) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong(_) => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Coding => StatusCode::NOT_IMPLEMENTED,
            Self::ContentCoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Failed(failure) => Self::status_of(failure.fault),
            Self::QueueFull(_)
            | Self::NotArrived(_)
            | Self::Overloaded
            | Self::TooManyRequests(_)
            | Self::TooManyStreams(_)
            | Self::TooManyWebSockets(_)
            | Self::NoRoom(..)
            | Self::NoRoomForAnswer(..)
            | Self::TooManyUploads
            | Self::TooManyWatchers
            | Self::TooManyTails
            | Self::TooManyCaptures(_)
            | Self::LettersBusy
            | Self::PoolSilent { .. }
            | Self::TooBusy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::ContentType | Self::BadResponse | Self::NotStorable(_) => StatusCode::BAD_GATEWAY,
        }
    }

    fn status_of(fault: Fault) -> StatusCode {
        match fault {
            Fault::Recipient => StatusCode::NOT_FOUND,
            Fault::Sender => StatusCode::UNPROCESSABLE_ENTITY,
            Fault::Late => StatusCode::GATEWAY_TIMEOUT,
            Fault::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Host => StatusCode::INTERNAL_SERVER_ERROR,
            Fault::Stage => StatusCode::BAD_GATEWAY,
        }
    }
}
