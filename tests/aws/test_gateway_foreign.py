"""What is no event of API Gateway, or one that somebody has made up."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.aws import gateway
from pixelake.errors import SourceError
from tests.aws.requests import FORMATS, Event, as_1, as_2, sample


def _without(event: Event, *path: str) -> Event:
    found = copy.deepcopy(event)
    inner = found
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return found


def _with(event: Event, value: object, *path: str) -> Event:
    found = copy.deepcopy(event)
    inner = found
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return found


FOREIGN: dict[str, Any] = {
    "nothing": None,
    "a number": 7,
    "a list": [as_2()],
    "an empty object": {},
    "a load balancer's": sample("load-balancer"),
    "records of a stream": {"Records": [{"eventSource": "aws:kinesis"}]},
    "another version": _with(as_2(), "3.0", "version"),
    "no context": _without(as_2(), "requestContext"),
    "no method": _without(as_2(), "requestContext", "http", "method"),
    "no path": _without(as_1(), "path"),
    "a path that is none": _with(as_1(), 7, "path"),
    "a method with a line end": _with(as_2(), "GET /x HTTP/1.1\r\n", "requestContext", "http", "method"),
    "an empty method": _with(as_1(), "", "httpMethod"),
    "no name": _without(as_1(), "requestContext", "requestId"),
    "a name that is none": _with(as_2(), "a b", "requestContext", "requestId"),
    "an empty name": _with(as_2(), "", "requestContext", "requestId"),
    "a long name": _with(as_2(), "x" * 129, "requestContext", "requestId"),
    "a name of an event of several": _with(as_1(), "abc.12", "requestContext", "requestId"),
    "a name with a line end": _with(as_2(), "abc\n", "requestContext", "requestId"),
    "a longer name that is none": _with(as_1(), "a b", "requestContext", "extendedRequestId"),
    "no time": _without(as_2(), "requestContext", "timeEpoch"),
    "a time before all": _with(as_2(), -1, "requestContext", "timeEpoch"),
    "a time behind all": _with(as_1(), 10**18, "requestContext", "requestTimeEpoch"),
    "headers that are none": _with(as_2(), ["a"], "headers"),
    "a value that is none": _with(as_1(), {"a": [1]}, "multiValueHeaders"),
    "a body that is none": _with(as_2(), {}, "body"),
    "base64 that is none": {**as_2(), "body": "%%%", "isBase64Encoded": True},
}


@pytest.mark.parametrize("event", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_is_no_event_is_said_so(event: Any) -> None:
    """One error, one line, with what to do; and nothing of what was sent is in it."""
    with pytest.raises(SourceError, match=r"this is no event of API Gateway: .") as caught:
        gateway.request(event)
    assert "\n" not in str(caught.value)
    assert "proxy integration" in caught.value.hint


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    ),
    st.sampled_from(sorted(as_2()) + sorted(as_1())),
    st.sampled_from(["1.0", "2.0"]),
)
def test_any_member_may_be_anything(value: Any, name: str, version: str) -> None:
    """A request or the error, never another."""
    try:
        asked = gateway.request({**FORMATS[version](), name: value})
    except SourceError:
        return
    head = asked.head.split(b"\r\n")
    assert head[0].count(b" ") == 2
    assert head[-2:] == [b"", b""]
    assert all(b":" in line for line in head[1:-2])
