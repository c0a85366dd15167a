"""What a message of a stream or queue of AWS holds, for all who read one: a reader, a function."""

from collections.abc import Callable

import msgspec

from pixelake import hit_json
from pixelake.errors import NewerVersion, StreamError
from pixelake.hit import UNREADABLE, Hit

Decode = Callable[[bytes, int], Hit]
"""What reads a message: its bytes, and when it was sent. Raises as `pixelake.hit_json.decode` does."""


def hit(data: bytes, sent_at: int, name: str, decode: Decode = hit_json.decode) -> Hit:
    """The hit of a message; one that nobody can read is a hit too, with its bytes as the body: it will be a reject.

    Args:
        data: what the message holds.
        sent_at: when it was sent, in microseconds since the epoch.
        name: its ``hit_id``, if it has none of its own.
        decode: reads it.

    Raises:
        NewerVersion: a newer program must read it.
    """
    try:
        found = decode(data, sent_at)
    except NewerVersion:
        raise
    except StreamError:
        return Hit(sent_at, "", "", b"", data, UNREADABLE, name)
    return found if found.hit_id else msgspec.structs.replace(found, hit_id=name)
