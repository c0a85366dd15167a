"""Browsers that were let in: their cookie, and what the registry knows of it.

A session's id is random (256 bits), new at every log-in, and only its hash is
kept. What ends one, in whichever process, is known here within a second.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from starlette.requests import HTTPConnection
from starlette.responses import Response

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import RegistryUnavailable
from pixelake.registry.access import LONGEST_SESSION, RARELY, Book, Door, Session, Share, User
from pixelake.registry.tokens import hash_of
from pixelake.web.peer import is_https, says_https

T = TypeVar("T")

KEY: Final = "pixelake.session"
"""In the scope of a request that came with one."""
CSRF_HEADER: Final = "x-csrf-token"
FRESH_SECONDS: Final = 0.4
"""Who may look is looked up so often at most."""


class Opened(NamedTuple):
    """A session whose cookie a request has.

    Attributes:
        session: as the registry has it.
        secret: the cookie's value.
    """

    session: Session
    secret: str

    @property
    def csrf(self) -> str:
        """What requests that change something carry, too: no other site's page can know it."""
        return hashlib.sha256(b"csrf:" + self.secret.encode()).hexdigest()

    def vouches(self, request: HTTPConnection) -> bool:
        """Whether a request carries it."""
        return hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), self.csrf.encode())


class Doorman:
    """Knows who was let in. Belongs to one event loop.

    Args:
        book: users, sessions and links.
        cookie: what the cookie is called, without its prefix.
        clock: for what is over.
    """

    def __init__(self, book: Book, cookie: str, clock: Clock = SYSTEM) -> None:
        self.book = book
        self._cookie, self._clock = cookie, clock
        self._door: Door | None = None
        self._at = float("-inf")
        self._looks = self._seen = 0
        self._running: asyncio.Future[Door] | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._noted: dict[str, int] = {}

    def now(self) -> int:
        """This moment (µs UTC)."""
        return self._clock.now()

    async def door(self) -> Door:
        """Who may look, as of `FRESH_SECONDS` ago.

        Raises:
            RegistryUnavailable: the registry cannot be read now.
        """
        if self._door is not None and time.monotonic() - self._at < FRESH_SECONDS:
            return self._door
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self.look())
        return await asyncio.shield(self._running)

    async def change(self, call: Callable[[], T]) -> T:
        """Change something, in a thread; whoever asks from then on sees it changed.

        Raises:
            PixelakeError: whatever the call does.
        """
        result = await asyncio.to_thread(call)
        await self.look()
        return result

    async def look(self) -> Door:
        """Who may look, as of now.

        Raises:
            RegistryUnavailable: the registry cannot be read now.
        """
        self._looks += 1
        look, at = self._looks, time.monotonic()
        door = await asyncio.to_thread(self.book.door, self._door)
        if self._door is None or look > self._seen:  # a look that began later may have come back first
            self._door, self._seen, self._at = door, look, at
        return self._door

    async def opened(self, request: HTTPConnection, share: Share | None = None) -> Opened | None:
        """The session of a request, for a link or for the dashboard itself; None: it has none that holds."""
        secret = next((request.cookies[name] for name in self._names(request, share) if name in request.cookies), "")
        session = (await self.door()).sessions.get(hash_of(secret)) if secret else None
        if session is None or session.share != (share.hash if share else "") or not session.holds(self.now()):
            return None
        self._use(session)
        return Opened(session, secret)

    async def user_of(self, session: Session) -> User | None:
        """Whose it is; None: of whoever holds the access token, or of nobody any longer."""
        return (await self.door()).users.get(session.user) if session.user else None

    def cookie(self, request: HTTPConnection, share: Share | None = None) -> str:
        """Its name: by HTTPS one that no other host and no page without HTTPS can set (`__Host-`)."""
        name = f"{self._cookie}_{share.id}" if share else self._cookie
        return f"__Host-{name}" if is_https(request) else name

    def _names(self, request: HTTPConnection, share: Share | None) -> Sequence[str]:
        """What its cookie may be called. Where only some requests tell of HTTPS, another told of it, or did not."""
        name = f"{self._cookie}_{share.id}" if share else self._cookie
        return (f"__Host-{name}",) if says_https(request) else (f"__Host-{name}", name)

    def hand_out(self, request: HTTPConnection, answer: Response, secret: str, share: Share | None = None) -> None:
        """Put the cookie of a session into an answer."""
        answer.set_cookie(
            self.cookie(request, share),
            secret,
            max_age=LONGEST_SESSION // SECOND,
            httponly=True,
            samesite="lax",
            secure=is_https(request),
        )

    def take_back(self, request: HTTPConnection, answer: Response) -> None:
        """Let the browser forget the cookie."""
        answer.delete_cookie(self.cookie(request), httponly=True, samesite="lax", secure=is_https(request))

    def _use(self, session: Session) -> None:
        """Write down, now and then, that it is in use."""
        now = self.now()
        if now - max(session.used, self._noted.get(session.hash, 0)) < RARELY:
            return
        known = self._door.sessions if self._door else {}
        self._noted = {held: at for held, at in self._noted.items() if held in known} | {session.hash: now}
        task = asyncio.ensure_future(self._note(session.hash))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _note(self, held: str) -> None:
        try:
            await asyncio.to_thread(self.book.use_session, held)
        except RegistryUnavailable:
            self._noted.pop(held, None)  # the next request tells
