//! Whatever serves under a name, as a stage of a flow: its plugin may be unloaded, and loaded again.

use super::slots::Slots;
use super::stage::PluginStage;
use crate::flow::{Failed, Failure, Message, Processed, Stage};
use crate::plugin::call::CallError;
use crate::plugin::roles::stage_role::StageRole;
use futures_util::future::BoxFuture;
use std::marker::PhantomData;
use std::sync::Arc;

/// A plugin that is looked up by its name at each call, in one role.
pub struct NamedStage<R> {
    name: String,
    slots: Arc<Slots>,
    role: PhantomData<fn() -> R>,
}

impl<R> NamedStage<R> {
    /// Of the plugin of this name.
    pub fn new(name: &str, slots: Arc<Slots>) -> Self {
        Self { name: name.to_owned(), slots, role: PhantomData }
    }
}

impl<R: StageRole> Stage for NamedStage<R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed> {
        match self.slots.get(&self.name) {
            Some(slot) => PluginStage::<R>::new(slot).process(message, number),
            None => {
                let failure = Failure::from(CallError::EmptySlot);
                Box::pin(async { Processed { by: None, result: Err(Failed { failure, input: message }) } })
            }
        }
    }
}
