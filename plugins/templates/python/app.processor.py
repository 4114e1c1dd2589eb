"""The plugin my-plugin: one message in, any number of messages out."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Error_Rejected, Message


class Processor(exports.Processor):
    def process(self, input: Message) -> list[Message]:
        # The body comes last; by HTTP it is all there is.
        *before, body = input.frames
        if not body:
            raise Err(Error_Rejected("say something"))
        lines = [line for line in body.split(b"\n") if line and not line.startswith(b"#")]
        return [Message(metadata=[], frames=[*before, b"you said " + line]) for line in lines]
