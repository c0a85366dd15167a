"""What can go wrong, as one tree. Each error carries a hint for the operator.

::

    PixelakeError
    ├── SettingsError          a setting is misspelt, of the wrong type or out of range
    ├── DataFolderError        the data folder cannot be used
    │   ├── FolderInUse        another server runs on it
    │   └── FolderVersion      written by another version that this one must not touch
    ├── PortInUse              a listening address is taken
    ├── StreamError
    │   ├── NewerVersion       a hit was written by a newer program
    │   └── StreamUnavailable  a hit cannot be made durable now; the collector answers 503
    │       ├── DiskFull       too little is free on its disk
    │       ├── StreamFull     it holds as much unsettled as it may
    │       └── HitTooLarge    a hit is larger than what the stream carries
    ├── RegistryUnavailable    the registry cannot be read or written now
    ├── WarehouseError
    │   ├── LakeUnavailable    the lake cannot be read or written now; the consumer retries
    │   │   └── LakeUnreachable  nobody answers where it is, or only that it is busy
    │   └── Conflict           somebody else committed first; read again and retry
    ├── BackupError            a backup cannot be made or restored
    ├── SourceError            a file or event that is to be read cannot be, or is not what it should be
    └── QueryError             a question or an SQL text cannot be answered
        └── Misasked           nothing failed: it cannot be asked so

Bad data is never an exception: it is a `pixelake.reject.Reject`.
"""


class PixelakeError(Exception):
    """An error an operator can act on.

    ``str(error)`` is one line that says what happened; ``hint`` is one line
    that says what to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(PixelakeError):
    """A setting is misspelt, of the wrong type or out of range."""


class DataFolderError(PixelakeError):
    """The data folder cannot be used."""


class FolderInUse(DataFolderError):
    """Another server runs on this data folder."""


class FolderVersion(DataFolderError):
    """The folder was written by a version that this one must not touch."""


class PortInUse(PixelakeError):
    """A listening address is taken."""


class StreamError(PixelakeError):
    """The stream failed."""


class StreamUnavailable(StreamError):
    """A hit cannot be made durable now. ``reason`` is what the collector's answer says."""

    reason = "unavailable"


class DiskFull(StreamUnavailable):
    """Too little is free on the stream's disk."""

    reason = "disk"


class StreamFull(StreamUnavailable):
    """The stream holds as much as it may that is not settled."""

    reason = "stream_full"


class HitTooLarge(StreamUnavailable):
    """Hits are larger than what the stream carries; to send them again does not help. The others are durable.

    Attributes:
        places: of these hits among those of the append, from 0; empty: it is not known which, nor that others are.
    """

    reason = "body_too_large"

    def __init__(self, message: str, hint: str = "", places: frozenset[int] = frozenset()) -> None:
        super().__init__(message, hint)
        self.places = places


class NewerVersion(StreamError):
    """A hit was written by a newer program, and only such a one can read it."""


class RegistryUnavailable(PixelakeError):
    """The registry cannot be read or written now."""


class WarehouseError(PixelakeError):
    """The warehouse failed."""


class LakeUnavailable(WarehouseError):
    """The lake cannot be read or written now."""


class LakeUnreachable(LakeUnavailable):
    """Nobody answers where the lake is, or only that it is busy. It may be our settings, or pass by itself."""


class Conflict(WarehouseError):
    """Somebody else committed first: read again and retry."""


class BackupError(PixelakeError):
    """A backup cannot be made, read or restored; what was there before is untouched."""


class SourceError(PixelakeError):
    """A file, or an event of somebody else's, that is to be read cannot be, or is not what it should be."""


class QueryError(PixelakeError):
    """A question or an SQL text cannot be answered."""


class Misasked(QueryError):
    """A question was asked as it cannot be: who asks is to mend it. The API answers 400, a command ends with 2.

    The message begins with the name of the parameter that is at fault, and a colon.
    """

    @property
    def parameter(self) -> str:
        """The name of the parameter; empty if it is none."""
        name, colon, _ = str(self).partition(":")
        return name if colon and name.replace("_", "").replace(".", "").isalnum() else ""
