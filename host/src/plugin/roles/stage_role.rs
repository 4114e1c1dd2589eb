//! A role in which a plugin makes messages of a message, as a stage of a flow does, in whichever version of the
//! contract it was built against.

use super::role::Role;
use crate::flow::{Message, Metadata, Outputs};
use crate::plugin::call::{CallError, request_id};
use crate::plugin::role::Contract;
use std::sync::Arc;

/// A role in which a plugin makes messages of a message.
#[allow(missing_docs)]
pub trait StageRole: Role<In = Input<Self::V0_1_0, Self::V0_2_0>, Out = Outputs> {
    /// The shape that the message has in each version.
    type V0_1_0: Shape + TryFrom<Message, Error = Unfit>;
    type V0_2_0: Shape + From<Message>;
}

/// A message that a version of the contract has no shape for, and why.
pub struct Unfit {
    pub(super) message: Message,
    pub(super) refusal: String,
}

/// The shape that a version of the contract gives to the messages of a role. Making one copies no frame.
pub trait Shape: Clone + Send + Sync + 'static {
    /// The message as it was.
    fn into_message(self) -> Message;

    /// What it has of metadata.
    fn metadata(&self) -> &Metadata;
}

/// What a call takes: a message in the shape that its plugin takes it in. It is shared with the call, so that it is not
/// copied for it, and is still there when the call has failed.
#[allow(missing_docs)]
pub enum Input<A, B> {
    V0_1_0(Arc<A>),
    V0_2_0(Arc<B>),
}

impl<A, B> Clone for Input<A, B> {
    fn clone(&self) -> Self {
        match self {
            Self::V0_1_0(shaped) => Self::V0_1_0(Arc::clone(shaped)),
            Self::V0_2_0(shaped) => Self::V0_2_0(Arc::clone(shaped)),
        }
    }
}

impl<A, B> Input<A, B>
where
    A: Shape + TryFrom<Message, Error = Unfit>,
    B: Shape + From<Message>,
{
    /// For a plugin of this version. One that was swapped in since, or that has no such messages, gets it all the same:
    /// the call makes another shape of it, or says why it cannot.
    pub(crate) fn new(message: Message, contract: Option<Contract>) -> Self {
        let message = match contract {
            Some(Contract::V0_1_0) => match A::try_from(message) {
                Ok(shaped) => return Self::V0_1_0(Arc::new(shaped)),
                Err(unfit) => unfit.message,
            },
            _ => message,
        };
        Self::V0_2_0(Arc::new(message.into()))
    }

    /// The message as it was.
    pub fn into_message(self) -> Message {
        match self {
            Self::V0_1_0(shaped) => Arc::unwrap_or_clone(shaped).into_message(),
            Self::V0_2_0(shaped) => Arc::unwrap_or_clone(shaped).into_message(),
        }
    }

    /// The name of the request that it came by; empty if it came by none.
    pub fn request_id(&self) -> &str {
        match self {
            Self::V0_1_0(shaped) => request_id(shaped.metadata()),
            Self::V0_2_0(shaped) => request_id(shaped.metadata()),
        }
    }

    /// # Errors
    /// When the version has no such messages.
    pub(super) fn into_v0_1_0(self) -> Result<Arc<A>, CallError> {
        match self {
            Self::V0_1_0(shaped) => Ok(shaped),
            other => match A::try_from(other.into_message()) {
                Ok(shaped) => Ok(Arc::new(shaped)),
                Err(unfit) => Err(CallError::Rejected(unfit.refusal)),
            },
        }
    }

    pub(super) fn into_v0_2_0(self) -> Arc<B> {
        match self {
            Self::V0_2_0(shaped) => shaped,
            other => Arc::new(other.into_message().into()),
        }
    }
}
