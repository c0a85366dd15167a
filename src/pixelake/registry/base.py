"""What people change while it runs, and what all processes must agree on.

Processes hold a frozen `Snapshot` and look for a newer one each second; the
hot path reads only that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple, Protocol

from pixelake.registry.access import Book
from pixelake.registry.goals import Funnel, Goal
from pixelake.registry.queries import Book as Queries
from pixelake.registry.tokens import Token

MAX_SITES: Final = 100_000
"""Sites are open by default; beyond so many, new names are kept on events but no longer made sites."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site: its name and the history of its time zone.

    ``zones`` is ``((from_us, zone), ...)``, oldest first: the IANA zone that
    holds for hits received from that moment (µs UTC) on. The first is from 0.
    """

    name: str
    zones: tuple[tuple[int, str], ...]

    def zone(self, received_at: int) -> str:
        """The IANA zone that rules a hit received at that moment (µs UTC)."""
        return next(zone for start, zone in reversed(self.zones) if start <= received_at)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registry at one moment.

    Attributes:
        version: grows with every change of what people declare.
        sites: by name.
        badges: the sites that have a badge -> the count that it shows, as last published.
        policies: the sites with a policy of their own -> ``((from_us, policy), ...)``, oldest first: what DNT and
            Sec-GPC do for hits received from that moment (µs UTC) on; one of `POLICIES`; ``""``: the setting.
        retentions: the sites with an age of their own -> the days their events are kept; 0: for ever.
        tokens: of the API, those that hold, by their hash.
        goals: of the sites that declare any.
        funnels: of the sites that declare any.
    """

    version: int
    sites: Mapping[str, Site]
    badges: Mapping[str, int] = field(default_factory=dict)
    policies: Mapping[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    retentions: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)
    goals: Mapping[str, Sequence[Goal]] = field(default_factory=dict)
    funnels: Mapping[str, Sequence[Funnel]] = field(default_factory=dict)


POLICIES: Final = ("ignore", "anonymous", "withhold")
"""What DNT: 1 and Sec-GPC: 1 may do: nothing; no user, visitor or city; nothing is kept."""


class Advice(NamedTuple):
    """What to do about something that a role has noticed.

    Attributes:
        level: ``error``: the figures are wrong until somebody acts; ``warning``: somebody should look.
        text: what is wrong, with ``{detail}`` for where.
        setting: the one to set; empty if it is none.
        seconds: how long it is told after it was last so.
    """

    level: str
    text: str
    setting: str
    seconds: float = 86_400.0


UNDECLARED_PROXY: Final = "undeclared_proxy"
STALLED: Final = "consumer_stalled"
REPORT_UNSENT: Final = "report_unsent"
NOTICES: Final[Mapping[str, Advice]] = {
    UNDECLARED_PROXY: Advice(
        "error",
        "forwarding headers come from {detail} and are not believed, so that everybody has the address of the sender:"
        " if that is a proxy of yours, name it in trusted_proxies",
        "trusted_proxies",
    ),
    STALLED: Advice(
        "error",
        "the consumer cannot go on: {detail}. The pixel does; nothing is lost as long as its disk has room",
        "",
        seconds=8.0,
    ),
    REPORT_UNSENT: Advice("warning", "a weekly report was not sent: {detail}; look at smtp", "smtp", seconds=3_600.0),
}
"""Code -> what it means."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something a role noticed: a code of `NOTICES`, where, and when it was last so (µs UTC)."""

    code: str
    detail: str
    at: int


@dataclass(frozen=True, slots=True)
class Maintained:
    """The last run of a task of maintenance.

    Attributes:
        task: its name.
        started: when (µs UTC).
        ended: when; 0: it has not, or was killed.
        done: what was done, a line; that of the run before while it has not ended.
        error: why it failed, a line; empty: it did not.
        succeeded: when a run last came to a good end (µs UTC); 0: none did.
    """

    task: str
    started: int
    ended: int = 0
    done: str = ""
    error: str = ""
    succeeded: int = 0


class JudgesBook(Protocol):
    """What judging hits asks of a registry."""

    def snapshot(self) -> Snapshot:
        """See `Registry`."""
        ...

    def add_sites(self, names: Iterable[str]) -> None:
        """See `Registry`."""
        ...

    def salts(self, days: Iterable[date]) -> Mapping[date, bytes]:
        """See `Registry`."""
        ...


class Registry(Protocol):
    """The shared memory of an installation."""

    @property
    def access(self) -> Book:
        """Users, their sessions, and links that are shared."""
        ...

    @property
    def queries(self) -> Queries:
        """SQL that is kept under a name."""
        ...

    def snapshot(self) -> Snapshot:
        """What is declared now."""
        ...

    def add_sites(self, names: Iterable[str]) -> None:
        """Make sites of unknown names, in the default zone. Known ones stay as they are."""
        ...

    def add_goal(self, site: str, goal: Goal) -> None:
        """Declare a goal of a site, in the place of one of its name. The site is made if it is unknown.

        Raises:
            SettingsError: it cannot be called so, or be worth that, or there are too many.
        """
        ...

    def remove_goal(self, site: str, name: str) -> bool:
        """Whether there was one of that name."""
        ...

    def add_funnel(self, site: str, funnel: Funnel) -> None:
        """Declare a funnel of a site, in the place of one of its name. The site is made if it is unknown.

        Raises:
            SettingsError: it cannot be called so, or there are too many.
        """
        ...

    def remove_funnel(self, site: str, name: str) -> bool:
        """Whether there was one of that name."""
        ...

    def change_zone(self, site: str, zone: str) -> int:
        """Let another zone hold for hits of the site from now on. An unknown site is made, and has it from the start.

        Returns:
            From when it holds (µs UTC).

        Raises:
            SettingsError: the zone is unknown, or there is no room for another site.
        """
        ...

    def set_policy(self, site: str, policy: str) -> int:
        """Let DNT and Sec-GPC do this for hits of the site from now on; ``""``: what the setting says.

        Returns:
            From when it holds (µs UTC).

        Raises:
            SettingsError: there is no such policy.
        """
        ...

    def set_badge(self, site: str, has: bool) -> None:
        """Give the site a badge, or take it away."""
        ...

    def publish_badges(self, counts: Mapping[str, int]) -> None:
        """Let the badges of these sites show these counts. Sites without a badge get none by it."""
        ...

    def salts(self, days: Iterable[date]) -> Mapping[date, bytes]:
        """The salt (32 bytes) of each calendar day; one salt serves all sites.

        A salt is made when it is first asked for. It is missing from the answer
        once it is due to be destroyed. Once it is destroyed it is never made again,
        even if the clock goes back.
        """
        ...

    def secret(self, name: str) -> str:
        """A random secret of this installation (the dashboard's token), made when first asked for."""
        ...

    def tokens(self) -> Sequence[Token]:
        """All tokens there are or were, the oldest first."""
        ...

    def add_token(self, name: str, site: str | None = None) -> str:
        """Make a token for the API, which reads one site, or all. It is never told again.

        Raises:
            SettingsError: there can be none of that name, or there are too many.
        """
        ...

    def remove_token(self, name: str) -> bool:
        """Let the token of that name hold no longer. Whether there was one."""
        ...

    def use_token(self, held: str, at: int) -> None:
        """Remember, to the hour, that the token of that hash was used (µs UTC)."""
        ...

    def notice(self, code: str, detail: str, at: int) -> None:
        """Remember that something was so at that moment (µs UTC). The last moment of each code and detail is kept.

        Of a code only some details are kept, the latest.
        """
        ...

    def noticed(self, since: int) -> Sequence[Noticed]:
        """What was so since that moment (µs UTC), the latest first."""
        ...

    def begin_task(self, task: str, at: int) -> None:
        """Remember that a task of maintenance has begun (µs UTC)."""
        ...

    def end_task(self, task: str, at: int, done: str, error: str) -> None:
        """Remember that it has ended, and how."""
        ...

    def tasks(self) -> Mapping[str, Maintained]:
        """The last run of each task that was ever begun, by its name."""
        ...
