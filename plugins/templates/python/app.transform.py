"""The plugin my-plugin: one message in, at most one out."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Error_Rejected, Message


class Transform(exports.Transform):
    def transform(self, input: Message) -> Message | None:
        if not input.body:
            raise Err(Error_Rejected("say something"))
        if input.body.startswith(b"#"):
            return None
        return Message(topic="", metadata=[], body=b"you said " + input.body)
