//! The role `transform`, as version 0.1.0 of the contract has it.

use super::call::{CallError, Message};
use super::guest::Guest;
use super::load::Plugin;
use std::time::Duration;
use tokio::time::timeout;
use wasmtime::component::InstancePre;

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "package tidegate:host; world transform-role { export tidegate:plugin/transform@0.1.0; }",
    world: "tidegate:host/transform-role",
    exports: { default: async },
});

use exports::tidegate::plugin::transform as wit;

/// A component that is known to have the role, ready to be instantiated.
pub(super) type Transform = TransformRolePre<Guest>;

/// Whether the component's export has the contract's type.
pub(super) fn check(component: InstancePre<Guest>) -> wasmtime::Result<Transform> {
    TransformRolePre::new(component)
}

impl Plugin {
    /// One call of the role on a fresh instance.
    pub(super) async fn transform(&self, message: Message) -> Result<Option<Message>, CallError> {
        let role = self.transform.as_ref().ok_or(CallError::NoRole("transform"))?;
        let input = wit::Message { topic: message.topic, metadata: message.metadata, body: message.body };
        let mut store = self.store();
        let call = async {
            let instance = role.instantiate_async(&mut store).await?;
            instance.tidegate_plugin_transform().call_transform(&mut store, &input).await
        };
        let ended = timeout(Duration::from_millis(self.limits.call_deadline_ms), call).await;
        let output = self.unless_trapped(ended, &store)?.map_err(|error| match error {
            wit::Error::Rejected(text) => CallError::Rejected(text),
            wit::Error::Failed(text) => CallError::Failed(text),
        })?;
        Ok(output.map(|message| Message { topic: message.topic, metadata: message.metadata, body: message.body }))
    }
}
