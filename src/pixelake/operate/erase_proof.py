"""The proof of an erasure: what was searched, what was removed, and what may remain; without the id."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """What was searched of one place, and what was removed.

    Attributes:
        place: ``events``, ``rejects``, ...
        files: that were looked through.
        rows: in them; hits, of a stream.
        bytes: of them.
        removed: rows, hits or files, as `what` says.
        what: of that.
    """

    place: str
    files: int
    rows: int
    bytes: int
    removed: int
    what: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What an erasure has done; the names are an interface. The id itself is nowhere in it.

    Attributes:
        id: of the erasure, as in the log.
        kind: of the person's id.
        hash: keyed hash of the id (HMAC-SHA256 under a secret of this installation).
        in_text: whether the id was looked for in parts of text, or, being short, as a whole value only.
        begun_at: when it was begun (µs UTC); what came after that was not looked for.
        seconds: it took.
        steps: place by place.
        scanned: files, rows and bytes of the last look through everything; none if the id is short.
        found: files that still hold the id.
        remains: what may remain elsewhere, and until when.
    """

    id: str
    kind: str
    hash: str
    in_text: bool
    begun_at: int
    seconds: float
    steps: Sequence[Step]
    scanned: Mapping[str, int] = field(default_factory=dict)
    found: Sequence[str] = ()
    remains: Sequence[str] = ()

    @property
    def is_clean(self) -> bool:
        """Whether the last look has found nothing."""
        return not self.found

    def as_dict(self) -> dict[str, Any]:
        """All by their names."""
        return asdict(self) | {"is_clean": self.is_clean}


def as_text(proof: Proof) -> str:
    """For people. Lines without a last newline."""
    how = "in all text" if proof.in_text else "as a whole value only, because it is short"
    out = [
        f"erasure {proof.id} of a {proof.kind}, {proof.hash[:16]}..., in {proof.seconds:.1f} s; looked for {how}",
        *(
            f"  {step.place:<10} {step.removed:>8,} {step.what:<22} of {step.rows:,} rows in {step.files:,} files"
            for step in proof.steps
        ),
    ]
    if proof.scanned:
        ticked = "✓" if proof.is_clean else "✗"
        files, size = proof.scanned["files"], proof.scanned["bytes"] / 1e6
        out.append(f"{ticked} {len(proof.found):,} of {files:,} files ({size:,.1f} MB) still hold the id")
    out += [f"! {path} still holds the id" for path in proof.found]
    out += [f"! {line}" for line in proof.remains]
    return "\n".join(out)
