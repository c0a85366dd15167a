"""What a browser does at the door: keeps cookies, says where a request comes from, and carries the token."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import httpx
from argon2 import PasswordHasher

from pixelake.registry import passwords
from pixelake.registry.sqlite import SqliteRegistry
from tests.web.house import House, serving

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""What a password costs, as long as tests of something else last."""
KEPT = CHEAP.hash(PASSWORD)
PEOPLE = {
    "olga": ("owner", None),
    "vera": ("viewer", None),
    "ann": ("viewer", ["shop"]),
    "two": ("viewer", ["shop", "x"]),
}
"""Who is there: role and sites."""


class Browser(httpx.Client):
    """A browser on a page of the dashboard, at an address of its own if our proxies are believed."""

    numbers = itertools.count(1)

    def __init__(self, url: str, **more) -> None:
        super().__init__(base_url=url, timeout=30, **more)
        number = next(self.numbers)
        self.headers["X-Forwarded-For"] = f"10.9.{number >> 8}.{number & 255}"
        self.headers["Origin"] = url
        self.headers["Sec-Fetch-Site"] = "same-origin"

    def login(self, user: str, password: str = PASSWORD, **more) -> httpx.Response:
        """Log in as somebody, and carry the token from then on."""
        answer = self.post("/api/v1/login", json={"user": user, "password": password, **more})
        if answer.status_code == 200:
            self.headers["X-CSRF-Token"] = self.get("/api/v1/me").json()["csrf"]
        return answer


@contextmanager
def entrance(folder, **more) -> Iterator[House]:
    """A web role over a real registry, with `PEOPLE` and the sites `shop` and `blog`."""
    registry = SqliteRegistry(folder / "registry.sqlite")
    registry.add_sites(["shop", "blog"])
    people(registry)
    more = {"trusted": ("loopback",), **more}
    with patch.object(passwords, "_HASHER", CHEAP), serving(registry=registry, **more) as running:
        passwords._nobody.cache_clear()
        running.client.headers["Authorization"] = f"Bearer {registry.secret('access_token')}"
        yield running
    passwords._nobody.cache_clear()


def people(registry: SqliteRegistry) -> None:
    """Those who are there, and no sessions and links."""
    book = registry.access
    book.close_all_sessions()
    for share in book.door().shares.values():
        book.remove_share(share.id)
    for name in book.door().users:
        book.remove_user(name)
    for name, (role, sites) in PEOPLE.items():
        book.add_user(name, role, sites, KEPT)
