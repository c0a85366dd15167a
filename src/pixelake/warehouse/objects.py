"""A lake in an S3 bucket: ``s3://bucket/prefix``.

Credentials, region and endpoint come from the usual environment (``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``), else from
the machine's role. Needs the extra ``s3``; whoever imports this has chosen such a lake.
"""

import io
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, Any, Final, Self

from fsspec import AbstractFileSystem
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from pixelake.errors import LakeUnavailable, LakeUnreachable
from pixelake.warehouse.place import Found, code, one_line

TIMEOUT: Final = "30s"
"""Of one request. A large file goes in parts, a request each."""
CONNECT: Final = "5s"
RETRIES: Final = 2
"""Of the store's client; whoever writes to a lake tries again himself, without end."""
LOOK_AHEAD: Final = 1 << 20
"""Bytes read at a time."""
SMALL: Final = 2 << 20
"""Bytes up to which a file is read whole for a query, and kept."""
KEPT: Final = 64 << 20
"""Bytes of such files that are kept."""
AT_ONCE: Final = 1_000
"""Objects that one request may remove."""
KNOWN: Final = 20_000
"""Files whose sizes are kept."""
HINT: Final = (
    "look at the bucket, at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, and the network"
)

BUSY: Final = frozenset({"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown"})
"""Codes of S3's that may be gone when one asks again."""

_CLOCK: Final = "_clock"
_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_BUCKET: Final = "<Code>NoSuchBucket</Code>"


class StoreError(OSError):
    """An object store did not do what it was asked. `hint` says where to look.

    Attributes:
        is_refusal: whether it answered that it will not; else it may be asked again.
    """

    hint = HINT

    def __init__(self, said: object) -> None:
        super().__init__(one_line(said))
        found = code(said)
        self.is_refusal = bool(found) and found not in BUSY


@contextmanager
def _reported() -> Iterator[None]:
    """Turn what the client says into one line.

    Raises:
        FileNotFoundError: there is no such object, in a bucket that is there as far as the answer tells.
        StoreError: all else.
    """
    try:
        yield
    except FileNotFoundError as error:
        if _NO_BUCKET in str(error):  # else a lake whose bucket is gone would look like an empty one
            raise StoreError(error) from None
        raise FileNotFoundError(one_line(error)) from None
    except (BaseError, OSError, ValueError) as error:
        raise StoreError(error) from None


class ObjectPath:
    """A name in a bucket: a `pixelake.warehouse.place.Remote`. Any thread."""

    def __init__(self, bucket: "Bucket", key: str) -> None:
        self._bucket, self._key = bucket, key

    def __truediv__(self, name: str) -> Self:
        return type(self)(self._bucket, f"{self._key}/{name}" if self._key else name)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same name in the same bucket."""
        return isinstance(other, ObjectPath) and (self._bucket, self._key) == (other._bucket, other._key)

    def __hash__(self) -> int:
        return hash((self._bucket, self._key))

    def __str__(self) -> str:
        return f"s3://{self._bucket.name}/{self._key}"

    @property
    def name(self) -> str:
        """The part behind the last slash."""
        return self._key.rpartition("/")[2]

    @property
    def hint(self) -> str:
        """Where to look when it does not work."""
        return HINT

    @property
    def options(self) -> Mapping[str, str]:
        """What `deltalake` has to be told to open it."""
        # A commit is a put that fails if the entry is there: nobody's commit is overwritten, without any lock.
        return {
            "aws_conditional_put": "etag",
            "aws_region": self._bucket.region,
            "allow_http": "true" if self._bucket.plain else "false",
            "timeout": TIMEOUT,
            "connect_timeout": CONNECT,
            "max_retries": str(RETRIES),
        }

    @property
    def filesystem(self) -> Any:
        """An `fsspec` file system that opens its URL."""
        return Files(self._bucket)

    def read_bytes(self) -> bytes:
        """All of it.

        Raises:
            FileNotFoundError: it is not there.
            StoreError: it cannot be read.
        """
        with _reported():
            return bytes(self._bucket.store.get(self._key).bytes())

    def open(self) -> io.BufferedReader:
        """It, to be read in any order.

        Raises:
            FileNotFoundError: it is not there.
            StoreError: it cannot be read.
        """
        with _reported():
            size = self._bucket.store.head(self._key)["size"]
        return io.BufferedReader(_Reader(self._bucket.store, self._key, size), LOOK_AHEAD)

    def write(self, fill: Callable[[IO[bytes]], None]) -> int:
        """Make it of what `fill` writes, all or nothing, durably. Returns its size in bytes.

        Raises:
            StoreError: it is not known to be there.
        """
        with tempfile.TemporaryFile(dir=self._bucket.scratch) as file:
            fill(file)
            return self.put(file)

    def put(self, file: IO[bytes]) -> int:
        """Make it of all that this file holds, all or nothing, durably. Returns its size in bytes.

        Raises:
            StoreError: it is not known to be there.
        """
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        with _reported():
            self._bucket.store.put(self._key, file)
        return size

    def create(self, data: bytes) -> bool:
        """Make it of this, all or nothing, durably; False if it is there already, whosever it is.

        Raises:
            StoreError: it is not known to be there.
        """
        with _reported():
            try:
                self._bucket.store.put(self._key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def tag(self) -> str | None:
        """Tells its contents apart from others of this name; None if it is not there.

        Raises:
            StoreError: it cannot be told.
        """
        try:
            with _reported():
                return str(self._bucket.store.head(self._key)["e_tag"])
        except FileNotFoundError:
            return None

    def sizes(self, below: bool = True) -> dict[str, int]:
        """The names in this folder and the bytes of each; also those in the folders `below` it.

        Raises:
            StoreError: they cannot be read.
        """
        folder = f"{self._key}/"
        with _reported():
            if below:
                found = [each for page in self._bucket.store.list(folder) for each in page]
            else:
                found = list(self._bucket.store.list_with_delimiter(folder)["objects"])
        return {each["path"].removeprefix(folder): each["size"] for each in found}

    def found(self) -> dict[str, Found]:
        """The names in this folder and those below it: how large and how old each is, by the store's own clock.

        The clock is asked by writing an empty object, ``_clock``: ours may be wrong.

        Raises:
            StoreError: they cannot be read, or nothing can be written.
        """
        folder = f"{self._key}/"
        with _reported():
            self._bucket.store.put(folder + _CLOCK, b"")
            now = self._bucket.store.head(folder + _CLOCK)["last_modified"]
            found = [each for page in self._bucket.store.list(folder) for each in page]
        return {
            each["path"].removeprefix(folder): Found(each["size"], (now - each["last_modified"]).total_seconds())
            for each in found
        }

    def remove(self, names: Sequence[str]) -> None:
        """Remove these names of this folder and those below it. One that is not there is none that fails.

        Raises:
            StoreError: some may still be there.
        """
        keys = [f"{self._key}/{name}" for name in names]
        with _reported():
            for start in range(0, len(keys), AT_ONCE):
                self._bucket.store.delete(keys[start : start + AT_ONCE])

    def check(self) -> None:
        """Return if the bucket is there and lets us look into it.

        Raises:
            LakeUnreachable: nobody answers, or only that he is busy.
            LakeUnavailable: it is not there, or does not let us in.
        """
        try:
            with _reported():
                self._bucket.store.list_with_delimiter(f"{self._key}/_delta_log")
        except OSError as error:
            kind = LakeUnavailable if getattr(error, "is_refusal", True) else LakeUnreachable
            raise kind(f"cannot open the lake {self}: {error}", HINT) from None


class Bucket:
    """An S3 bucket, as the environment says how to reach it. Asks nothing before it is used.

    Args:
        name: of it.
        environment: the variables.
        spool: a folder for what is just being written, made if its parent is there. Else the system's for temporary
            files, which on many machines is memory.

    Raises:
        StoreError: the name or the environment is not usable.
    """

    def __init__(self, name: str, environment: Mapping[str, str] = os.environ, spool: Path | None = None) -> None:
        self.name = name
        self._spool = spool
        self.region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
        endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
        self.plain = endpoint.startswith("http://")
        self.arguments: dict[str, Any] = {
            "region": self.region,
            "client_options": {"timeout": TIMEOUT, "connect_timeout": CONNECT, "allow_http": self.plain},
            "retry_config": {"max_retries": RETRIES},
        }

    @property
    def scratch(self) -> Path | None:
        """The folder for what is just being written; None: the system's."""
        if self._spool:
            with suppress(OSError):
                self._spool.mkdir(mode=0o700, exist_ok=True)
                return self._spool
        return None

    @cached_property
    def store(self) -> Any:
        """The client."""
        with _reported():
            return S3Store(self.name, **self.arguments)


def lake(bucket: str, prefix: str, spool: Path | None = None) -> ObjectPath:
    """The folder `prefix` of a bucket. `spool`: see `Bucket`."""
    return ObjectPath(Bucket(bucket, spool=spool), prefix.strip("/"))


class Files(AbstractFileSystem):  # type: ignore[misc] # it has no types
    """The files of a bucket, for DuckDB, which opens each again and again. They are never written twice.

    Without what is kept here a question would cost some 10 ms for each file it looks at.
    """

    protocol = "s3"
    cachable = False

    def __init__(self, bucket: Bucket) -> None:
        super().__init__()
        self._bucket = bucket
        self._head = lru_cache(KNOWN)(self._size)
        self._kept = _Kept(KEPT)

    def size(self, path: str) -> int:
        """Its bytes.

        Raises:
            FileNotFoundError: it is not there.
            StoreError: it cannot be told.
        """
        return self._head(_key(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Its bytes, and that it is a file."""
        return {"name": path, "size": self.size(path), "type": "file"}

    def modified(self, _path: str) -> datetime:
        """When it was written last: no file ever changes."""
        return _ONCE

    def open(self, path: str, mode: str = "rb", **_: Any) -> IO[bytes]:
        """It, to be read in any order.

        Raises:
            FileNotFoundError: it is not there.
            StoreError: it cannot be read; or is to be written.
        """
        if mode != "rb":
            raise StoreError(f"{path} can only be read")
        key, size = _key(path), self.size(path)
        if size > SMALL:
            return io.BufferedReader(_Reader(self._bucket.store, key, size), LOOK_AHEAD)
        data = self._kept.get(key)
        if data is None:
            with _reported():
                data = bytes(self._bucket.store.get(key).bytes())
            self._kept.put(key, data)
        return io.BytesIO(data)

    def _size(self, key: str) -> int:
        with _reported():
            return int(self._bucket.store.head(key)["size"])


def _key(url: str) -> str:
    return url.removeprefix("s3://").partition("/")[2]


class _Kept:
    """The files read last, within so many bytes. Any thread."""

    def __init__(self, most: int) -> None:
        self._most, self._size, self._lock = most, 0, threading.Lock()
        self._files: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._files:
                self._files.move_to_end(key)
            return self._files.get(key)

    def put(self, key: str, data: bytes) -> None:
        with self._lock:
            self._size += len(data) - len(self._files.pop(key, b""))
            self._files[key] = data
            while self._size > self._most:
                self._size -= len(self._files.popitem(last=False)[1])


class _Reader(io.RawIOBase):
    """An object, read by ranges."""

    def __init__(self, store: Any, key: str, size: int) -> None:
        self._store, self._key, self._size, self._at = store, key, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._size, self._at + len(buffer))
        if end <= self._at:
            return 0
        with _reported():
            data = self._store.get_range(self._key, start=self._at, end=end)
        count = len(data)
        buffer[:count] = bytes(data)
        self._at += count
        return count
