"""The plugin my-plugin: one request of a broker's client in, any number of replies out."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.reply_policy import Reply, Request
from wit_world.imports.types import Error_Rejected, Message


class ReplyPolicy(exports.ReplyPolicy):
    def replies(self, request: Request) -> list[Reply]:
        frames = request.message.frames
        if not any(frames):
            raise Err(Error_Rejected("say something"))
        # At once, and again 100 ms later.
        message = Message(metadata=[], frames=frames)
        return [Reply(delay_ms=0, message=message), Reply(delay_ms=100, message=message)]
