"""What requests that change something bring along: one JSON object, of a type that says what is in it."""

from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request

from pixelake.errors import Misasked

LARGEST: Final = 256 << 10
"""Bytes."""

T = TypeVar("T")


async def body_of(request: Request, kind: type[T]) -> T:
    """What a request brings.

    Raises:
        Misasked: it is something else, or too much; what was sent is not repeated.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST:
            raise Misasked(f"body: more than {LARGEST:,} bytes", "one JSON object")
    try:
        return msgspec.json.decode(bytes(data), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Misasked(f"body: {str(error)[:200]}", "one JSON object; /openapi.json says what is in it") from None


def described(kind: type[Any], example: Any) -> dict[str, Any]:
    """A body of that type, as the OpenAPI of a route has it."""
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    name = schema["$ref"].rpartition("/")[2]
    content = {"application/json": {"schema": parts[name], "example": example}}
    return {"requestBody": {"required": True, "content": content}}
