"""Each setting once: name, type, default, unit, one line of help.

A value comes from the configuration file (TOML), is overruled by the
environment (``PIXELAKE_<NAME>``) and that by a flag (``--name-with-dashes``).
Read once, frozen; `pixelake settings` and ``docs/settings.md`` are made from
this list.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_type_hints
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pixelake.address import Networks
from pixelake.errors import SettingsError

ENVIRONMENT_PREFIX: Final = "PIXELAKE_"
FILE: Final = Path("pixelake.toml")
"""The configuration file, if no other is named."""
MAX_WORKERS: Final = 256
LEAST_DEADLINE: Final = 0.05
LEAST_STREAM_BYTES: Final = 16 << 20
LEAST_HISTORY: Final = 60.0
LEAST_REPEAT: Final = 10_800.0
MOST_DAYS: Final = 36_500
"""A hundred years."""
LEAST_SQL_MEMORY: Final = 16_000_000
"""Bytes: DuckDB does not open with much less."""
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
AUTO: Final = "auto"
"""In place of a size: what suits the machine."""
_PASSWORD: Final = re.compile(r"(smtps?:?/{0,2}[^:/]*):.*@|(?<=://)([^/:]*):[^/]*@", re.IGNORECASE | re.DOTALL)
"""In a URL, also one that is written wrong: a user may be an address, a password may hold an unescaped ``@``."""
_MEMORY: Final = re.compile(r"(\d+\.?\d*|\.\d+)\s*([kmgt])i?b?", re.IGNORECASE | re.ASCII)


def _setting(default: Any, unit: str, text: str, choices: tuple[str, ...] = (), *, secret: bool = False) -> Any:
    metadata = {"unit": unit, "help": text, "choices": choices, "secret": secret}
    if isinstance(default, dict):
        return field(default_factory=lambda: MappingProxyType(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting. Lists are written ``a,b,c`` in the environment and in flags; maps ``a=x,b=y``."""

    # where things are
    data: Path = _setting(Path("pixelake-data"), "folder", "where everything is kept")  # noqa: RUF009 - immutable
    collect: str = _setting("127.0.0.1:8080", "host:port", "where the pixel listens; port 0 picks a free one")
    web: str = _setting("127.0.0.1:8081", "host:port", "where the dashboard and the API listen")
    web_hosts: tuple[str, ...] = _setting(
        (), "names", "host names under which the dashboard may be asked for, beside addresses and localhost"
    )
    metrics: str = _setting("", "host:port", "where /metrics listens (Prometheus); empty: nowhere")
    public_url: str = _setting(
        "", "URL", "how the pixel is reached from outside, for the printed tag; empty: as <collect> says"
    )
    tls_certificate: str = _setting(
        "", "file", "the pixel speaks TLS with it (PEM: the certificate, then its issuers); read again on SIGHUP"
    )
    tls_key: str = _setting("", "file", "its private key (PEM, without a password)")
    workers: int = _setting(0, "processes", "collector processes; 0: one for every two cores")
    stream: str = _setting("", "URL", "the stream: sqs://queue, kinesis://stream; empty: embedded, in the data folder")
    lake: str = _setting("", "URL", "the lake: file:///folder or s3://bucket/prefix; empty: <data>/lake")
    files: str = _setting("", "URL", "plain files, if files_format says so; empty: <data>/files")
    live: str = _setting("", "URL", "the live store: dynamodb://table; empty: embedded, in the data folder")
    registry: str = _setting(
        "", "URL", "the registry, and who owns event ids: dynamodb://table; empty: embedded, in the data folder"
    )
    # collect
    answer: str = _setting("durable", "", "when the pixel answers", ("durable", "accepted"))
    answer_deadline: float = _setting(0.5, "s", "after that a hit that is not durable yet is answered 503 `undecided`")
    max_head: int = _setting(65_536, "bytes", "request line and headers; more is answered 431")
    max_body: int = _setting(1_048_576, "bytes", "body of a POST; more is answered 413")
    max_waiting: int = _setting(
        50_000, "hits", "hits of a worker that may wait for a commit; more are answered 503 `busy`"
    )
    max_waiting_bytes: int = _setting(
        67_108_864, "bytes", "of those hits, and of bodies being received; beyond it 503 `busy`"
    )
    max_connections: int = _setting(
        20_000, "connections", "open connections of a worker; more are answered 503 and closed"
    )
    header_timeout: float = _setting(10.0, "s", "for the whole request to arrive")
    idle_timeout: float = _setting(75.0, "s", "a connection without a request is closed")
    shutdown_timeout: float = _setting(10.0, "s", "for draining on SIGTERM")
    trusted_proxies: tuple[str, ...] = _setting(
        (), "networks", "proxies whose word on the client's address is believed; also the words `loopback`, `private`"
    )
    client_header: str = _setting(
        "x-forwarded-for",
        "",
        "the header in which trusted proxies tell it",
        ("x-forwarded-for", "forwarded", "cloudfront-viewer-address", "cf-connecting-ip"),
    )
    proxy_protocol: str = _setting(
        "off", "", "each connection begins with a PROXY header, of version 1 or 2", ("off", "on")
    )
    privacy: str = _setting(
        "standard",
        "",
        "addresses are truncated (IPv4 /24, IPv6 /48) before the lake, or already before the stream",
        ("standard", "strict"),
    )
    site_rate: float = _setting(0.0, "hits/s", "of one site, in each worker; more are answered 429; 0: no limit")
    site_burst: float = _setting(0.0, "hits", "of one site that may come at once; 0: those of a second")
    address_rate: float = _setting(
        0.0, "hits/s", "of one address (IPv6: of a /64), in each worker; more are answered 429; 0: no limit"
    )
    address_burst: float = _setting(0.0, "hits", "of one address that may come at once; 0: those of a second")
    secret_parameters: tuple[str, ...] = _setting(
        ("password", "passwd", "access_token", "api_key", "apikey", "secret", "token_auth", "authorization"),
        "names",
        "query parameters whose values never reach the disk",
    )
    log_fields: tuple[str, ...] = _setting(
        (),
        "names",
        "fields of CloudFront's real-time logs, as chosen there, where records of a stream hold its lines; "
        "empty: the ten that a hit needs",
    )
    firehose_key: str = _setting(
        "", "", "the access key of streams of Firehose, which then deliver to POST /firehose", secret=True
    )
    # stream
    segment_bytes: int = _setting(134_217_728, "bytes", "a segment of the embedded stream is closed at this size")
    segment_age: float = _setting(3_600.0, "s", "a segment of the embedded stream is closed at this age")
    stream_retention: float = _setting(
        86_400.0, "s", "settled hits stay in the stream, with full addresses, for so long"
    )
    stream_bytes: int = _setting(
        0,
        "bytes",
        "settled hits leave the stream sooner if it takes more; unsettled ones beyond it are refused; 0: no bound",
    )
    commit_window: float = _setting(
        0.0, "s", "a commit waits so long for more hits, to spare SD cards; 0: not at all; below answer_deadline"
    )
    disk_reserve: int = _setting(
        67_108_864, "bytes", "must be free on the stream's disk to take hits, so that the lake can still be written"
    )
    # transform
    batch_size: int = _setting(10_000, "hits", "at most so many are judged at once")
    live_window: float = _setting(0.5, "s", "the live store is written this often")
    lake_window: float = _setting(0.0, "s", "the lake is written this often; 0: 5 on a disk, 60 in a bucket")
    lake_rows: int = _setting(200_000, "rows", "or when so many wait")
    files_format: str = _setting(
        "off", "", "plain files beside the lake, for who reads no Delta table", ("off", "json.gz", "parquet", "orc")
    )
    files_window: float = _setting(60.0, "s", "plain files are written this often")
    do_not_track: str = _setting(
        "anonymous",
        "",
        "what DNT: 1 and Sec-GPC: 1 do: nothing; no user, visitor or city; nothing is kept",
        ("ignore", "anonymous", "withhold"),
    )
    geo_headers: str = _setting(
        "auto",
        "",
        "the CDN that tells a client's place and that trusted proxies pass on; auto: the one of client_header",
        ("auto", "off", "cloudfront", "cloudflare", "fastly", "vercel"),
    )
    geo_file: str = _setting("", "file", "else a database in MaxMind's format (.mmdb), read again when it changes")
    enrichers: tuple[str, ...] = _setting((), "module:name", "enrichers of your own, which may add columns")
    aliases: Mapping[str, str] = _setting(
        {
            "userid": "user",
            "user_id": "user",
            "uid": "user",
            "eid": "event_id",
            "ref": "referrer",
            "referer": "referrer",
            "name": "event",
            "event_name": "event",
            "page": "url",
        },
        "name=name",
        "other names that users may send for the native ones",
    )
    sites: str = _setting(
        "open",
        "",
        "an unknown name becomes a site; or its hits are rejects until `pixelake sites add` declares it",
        ("open", "closed"),
    )
    schemas: str = _setting(
        "", "folder", "JSON Schemas for events, <event>.json each, read at start; empty: <data>/schemas"
    )
    lists: str = _setting(
        "",
        "folder",
        "lists that stand in for the built-in ones (docs/enrichers.md), read at start; empty: <data>/lists",
    )
    kept_query: tuple[str, ...] = _setting(
        ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "ref", "source"),
        "names",
        "query names of a page's url and referrer that are kept; the rest is cut off",
    )
    max_field: int = _setting(8_192, "characters", "a longer field makes the hit a reject")
    repeat_window: float = _setting(86_400.0, "s", "an event_id seen again within it is a repeat")
    default_zone: str = _setting("UTC", "IANA zone", "the time zone of new sites")
    # warehouse
    lake_retention: int = _setting(
        0, "days", "events leave the lake after; 0: never; `pixelake sites retention` rules for one site"
    )
    rejects_retention: int = _setting(0, "days", "rejects leave the lake after; 0: never")
    lake_history: float = _setting(
        3_600.0, "s", "replaced files of the lake stay so long, for those who still read an older version"
    )
    live_retention: float = _setting(604_800.0, "s", "the live store forgets after")
    sql_timeout: float = _setting(20.0, "s", "a query is stopped after")
    sql_memory: str = _setting(
        "auto", "", "memory that queries may take together, 512MB for instance; auto: an eighth of what there is"
    )
    # reports
    report_sites: tuple[str, ...] = _setting((), "sites", "a report of their last week is sent by mail, each week")
    report_to: tuple[str, ...] = _setting((), "addresses", "who gets it")
    report_from: str = _setting("", "address", "who sends it; answers go there")
    report_day: str = _setting("monday", "", "when, on the clock of the site", WEEKDAYS)
    report_hour: int = _setting(7, "hour", "of that day, 0 to 23")
    smtp: str = _setting(
        "",
        "URL",
        "the server that takes mail: smtp://user:password@host:587 (TLS by STARTTLS), or smtps://...:465; "
        "what is no letter or digit in user and password is %-encoded",
    )
    log_level: str = _setting("info", "", "what is logged", ("debug", "info", "warning", "error"))


NAMES: Final = tuple(f.name for f in fields(Settings))
_TYPES: Final = get_type_hints(Settings)


def load(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> Settings:
    """The settings from file, environment and flags, in rising order of weight.

    `flags` holds only those that were given, by setting name. Without `config`
    the file is ``$PIXELAKE_CONFIG``, else ``pixelake.toml`` here, if there is one.

    Raises:
        SettingsError: a name is unknown, or a value is not of its type; the message names both, the hint what is meant.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for name, value in _from_file(config, environment).items():
        values[name] = _parse(name, value, "the configuration file")
    for key, value in environment.items():
        if key.startswith(ENVIRONMENT_PREFIX) and key != ENVIRONMENT_PREFIX + "CONFIG":
            name = key.removeprefix(ENVIRONMENT_PREFIX).lower()
            values[name] = _parse(name, value, key)
    for name, value in (flags or {}).items():
        values[name] = _parse(name, value, "--" + name.replace("_", "-"))
    return Settings(**values)


def _from_file(config: Path | None, environment: Mapping[str, str]) -> Mapping[str, Any]:
    named = config or environment.get(ENVIRONMENT_PREFIX + "CONFIG")
    path = Path(named) if named else FILE
    if not named and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}", "name an existing file with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} is not TOML: {error}", 'write one `name = value` a line, text in "quotes"'
        ) from error


def _parse(name: str, value: Any, source: str) -> Any:
    if name not in NAMES:
        close = get_close_matches(name, NAMES, 1)
        raise SettingsError(
            f"unknown setting {name!r} in {source}",
            f"did you mean {close[0]}?" if close else "`pixelake settings` lists them all",
        )
    declared = next(f for f in fields(Settings) if f.name == name)
    try:
        parsed = _convert(_TYPES[name], value)
    except (TypeError, ValueError) as error:
        meant = _meant(_TYPES[name], declared.metadata["unit"])
        raise SettingsError(f"{source}: {name} cannot be {value!r}", f"it is {meant}") from error
    choices = declared.metadata["choices"]
    if choices and parsed not in choices:
        raise SettingsError(f"{source}: {name} cannot be {value!r}", f"it is one of {', '.join(choices)}")
    return parsed


def _meant(kind: Any, unit: str) -> str:
    """What a value of that type looks like."""
    looks = {
        int: f"a whole number, 0 or more, in {unit}",
        float: f"a number, 0 or more, in {unit}",
        tuple[str, ...]: "a list of names: name,name,name",
        Mapping[str, str]: "a list of pairs: name=name,name=name",
    }
    return looks.get(kind, f"text, in quotes in TOML{f': {unit}' if unit else ''}")


def _convert(kind: Any, value: Any) -> Any:
    """`value`, from TOML or as text, as the declared type. Raises TypeError or ValueError."""
    if kind in (int, float):
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError
        number = kind(value)
        if not 0 <= number < float("inf"):
            raise ValueError
        return number
    if kind == tuple[str, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not all(isinstance(item, str) for item in items):
            raise TypeError
        return tuple(item.strip() for item in items if item.strip())
    if kind == Mapping[str, str]:
        pairs = dict(item.split("=", 1) for item in value.split(",") if item) if isinstance(value, str) else dict(value)
        if not all(isinstance(text, str) for pair in pairs.items() for text in pair):
            raise TypeError
        return {key.strip(): text.strip() for key, text in pairs.items()}
    if not isinstance(value, str | Path):
        raise TypeError
    return kind(value)


def listed(settings: Settings) -> list[dict[str, str]]:
    """Every setting as a row of text: ``name value default unit help``. Passwords in URLs are left out."""
    default = Settings()
    return [
        {
            "name": each.name,
            "value": "***" if each.metadata["secret"] and value else _shown(value),
            "default": _shown(getattr(default, each.name)),
            "unit": each.metadata["unit"],
            "help": _help(each.metadata),
        }
        for each in fields(Settings)
        for value in (getattr(settings, each.name),)
    ]


def _shown(value: Any) -> str:
    """A value as one would write it in the environment."""
    if isinstance(value, Mapping):
        return ",".join(f"{key}={text}" for key, text in value.items())
    if isinstance(value, tuple):
        return ",".join(value)
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2] or ''}:***@", str(value))


def _help(metadata: Mapping[str, Any]) -> str:
    choices = ", ".join(metadata["choices"])
    return f"{metadata['help']} ({choices})" if choices else str(metadata["help"])


def as_markdown() -> str:
    """The page ``docs/settings.md``."""
    rows = [
        f"| `{row['name']}` | {_cell(row['default'])} | {row['unit']} | {_prose(row['help'])} |"
        for row in listed(Settings())
    ]
    return "\n".join([_PAGE, "| name | default | unit | what it does |", "|---|---|---|---|", *rows, ""])


def _prose(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "&#124;")


def _cell(value: str) -> str:
    return f"`{value.replace(',', ', ')}`" if value else ""


_PAGE: Final = """# Settings

Made from `src/pixelake/settings.py`:
`python -c 'from pixelake import settings; print(settings.as_markdown(), end="")' > docs/settings.md`.

A value comes from the configuration file (TOML: `name = value`; `--config FILE`, else `$PIXELAKE_CONFIG`, else
`pixelake.toml` in the working folder), is overruled by the environment (`PIXELAKE_<NAME>`), and that by a flag
(`--name-with-dashes`, before or after the command). In the environment and in flags lists are written `a,b,c` and maps
`a=x,b=y`. `pixelake settings` shows the values that hold now.
"""


def parse_address(name: str, text: str) -> tuple[str, int]:
    """``host:port`` as a pair; an IPv6 host stands in brackets.

    Raises:
        SettingsError: it is none.
    """
    host, _, port = text.rpartition(":")
    if not _is_host(host) or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65_535:
        raise SettingsError(f"{name} cannot be {text!r}", "write host:port, for instance 127.0.0.1:8080 or [::]:8080")
    return host.strip("[]"), int(port)


def _is_host(text: str) -> bool:
    """Whether a resolver can be asked for it at all."""
    try:
        return bool(text.encode("idna")) and text.isprintable() and not re.search(r"[\s/@?#]", text)
    except UnicodeError:
        return False


def check(settings: Settings) -> None:
    """Refuse values that no role could start with, so that nothing is begun with them.

    Raises:
        SettingsError: one is out of range, or names something that does not exist.
    """
    for name in ("collect", "web", "metrics"):
        if getattr(settings, name) or name != "metrics":
            parse_address(name, getattr(settings, name))
    _check_public_url(settings.public_url)
    _check_proxies(settings)
    _check_tls(settings)
    if settings.answer_deadline < LEAST_DEADLINE:
        raise SettingsError(
            f"answer_deadline cannot be {settings.answer_deadline}",
            f"at least {LEAST_DEADLINE}: a commit takes its time",
        )
    if settings.workers > MAX_WORKERS:
        raise SettingsError(
            f"workers cannot be {settings.workers}", f"at most {MAX_WORKERS}; more than one a core gains nothing"
        )
    if 0 < settings.stream_bytes < LEAST_STREAM_BYTES:
        raise SettingsError(
            f"stream_bytes cannot be {settings.stream_bytes}", f"at least {LEAST_STREAM_BYTES}, or 0 for no bound"
        )
    if settings.commit_window and settings.commit_window >= settings.answer_deadline:
        raise SettingsError(
            f"commit_window cannot be {settings.commit_window}",
            f"every answer would come too late: it must be below answer_deadline, which is {settings.answer_deadline}",
        )
    _check_sql_memory(settings.sql_memory)
    _check_lake(settings)
    _check_firehose(settings)
    try:
        ZoneInfo(settings.default_zone)
    except (KeyError, ValueError, OSError) as error:  # OSError: it is a folder of zones
        raise SettingsError(
            f"there is no time zone {settings.default_zone!r}",
            "default_zone is an IANA zone, for instance Europe/Berlin",
        ) from error


def _check_firehose(settings: Settings) -> None:
    if not settings.firehose_key:
        return
    if not re.fullmatch(r"[!-~]{16,4096}", settings.firehose_key):
        raise SettingsError("firehose_key cannot be that", "16 letters or more, without blanks: `openssl rand -hex 24`")
    if settings.stream.partition("://")[0] in {"sqs", "kinesis"}:
        raise SettingsError(
            "firehose_key is set, but the stream is on AWS", "let a function there read what Firehose would deliver"
        )
    if settings.repeat_window < LEAST_REPEAT:
        raise SettingsError(
            f"repeat_window cannot be {settings.repeat_window:g} with firehose_key",
            f"at least {LEAST_REPEAT:g} s: Firehose sends again for up to two hours, and is told by it",
        )


def _check_lake(settings: Settings) -> None:
    for name in ("lake_retention", "rejects_retention"):
        if getattr(settings, name) > MOST_DAYS:
            raise SettingsError(f"{name} cannot be {getattr(settings, name)}", f"at most {MOST_DAYS} days; 0: never")
    if settings.lake_history < LEAST_HISTORY:
        raise SettingsError(
            f"lake_history cannot be {settings.lake_history:g}",
            f"at least {LEAST_HISTORY:g} s: a question that is being answered needs the files it began with",
        )


def _check_sql_memory(text: str) -> None:
    found = _MEMORY.fullmatch(text.strip())
    if found and float(found[1]) * 1_000 ** ("kmgt".index(found[2].lower()) + 1) >= LEAST_SQL_MEMORY:
        return
    if text != AUTO:
        raise SettingsError(f"sql_memory cannot be {text!r}", "write for instance 512MB, at least 16MB; or auto")


def _check_proxies(settings: Settings) -> None:
    try:
        trusted = Networks(settings.trusted_proxies)
    except ValueError as error:
        raise SettingsError(
            f"trusted_proxies: {error}", "write networks or addresses, for instance 10.0.0.0/8,2001:db8::7,loopback"
        ) from error
    if settings.proxy_protocol == "on" and not trusted:
        raise SettingsError(
            "proxy_protocol is on, but nobody's word is believed", "set trusted_proxies to the load balancer's network"
        )


def _check_tls(settings: Settings) -> None:
    names = ("tls_certificate", "tls_key")
    missing = [name for name in names if not getattr(settings, name)]
    if len(missing) == 1:
        raise SettingsError(f"{missing[0]} is missing", f"set both {' and '.join(names)}, or neither")
    if not missing and settings.proxy_protocol == "on":
        raise SettingsError(
            "tls_certificate is set and proxy_protocol is on, but a PROXY header comes before TLS",
            "let the load balancer end TLS, or send its connections without PROXY headers",
        )


def workers(settings: Settings) -> int:
    """How many collector processes there are: as set, else one for two cores."""
    return settings.workers or max(1, (os.cpu_count() or 1) // 2)


def _check_public_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if url and (not good or not url.isprintable() or re.search(r'[\s<>"?#\\^`{|}]', url)):
        raise SettingsError(
            f"public_url cannot be {_shown(url)!r}", "write http:// or https://, a host, and a path if there is one"
        )
