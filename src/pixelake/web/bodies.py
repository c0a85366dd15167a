"""What requests that change something bring along: one JSON object, of a model that says what is in it."""

import json
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from pixelake.errors import Misasked

LARGEST: Final = 256 << 10
"""Bytes."""
FORM: Final = "application/x-www-form-urlencoded"

Text = Annotated[str, Field(max_length=4_000)]


class Body(BaseModel):
    """Nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


B = TypeVar("B", bound=Body)


async def body_of(request: Request, model: type[B], *, form: bool = False) -> B:
    """What a request brings.

    Args:
        request: whose body is JSON, and says so.
        model: what is expected.
        form: whether it may be a form, too.

    Raises:
        Misasked: it brings something else, or too much; what was sent is not repeated.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (form and kind == FORM):
        raise Misasked("body: it does not say that it is JSON", "send `Content-Type: application/json`")
    told = _object(await _bytes(request), is_form=kind == FORM)
    try:
        return model.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"])) or "body"
        fault = first["msg"].removeprefix("Value error, ")
        raise Misasked(f"{name[:80]}: {fault}", f"it has {', '.join(model.model_fields)}") from None


async def _bytes(request: Request) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST:
            raise Misasked(f"body: more than {LARGEST:,} bytes", "it is a small object")
    return bytes(data)


def _object(data: bytes, *, is_form: bool) -> Any:
    try:
        if is_form:
            return dict(parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=20))
        return json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise Misasked("body: it cannot be read", "one JSON object, in UTF-8") from None


def described(model: type[Body], example: Any = None) -> dict[str, Any]:
    """A body of that model, as the OpenAPI of a route has it."""
    content = {"schema": model.model_json_schema()} | ({} if example is None else {"example": example})
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def absent(what: str) -> JSONResponse:
    """404: there is nothing of that name."""
    return JSONResponse({"error": what, "hint": "look at the list again: somebody else may have removed it"}, 404)
