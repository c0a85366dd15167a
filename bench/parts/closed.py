"""As many requests as go through: wrk sends the next one when it has an answer."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final, NamedTuple

from parts.options import Options
from rig.load import Run, wrk
from rig.proof import Ledger
from rig.servers import Pair, Server, make_certificate, negotiated, nginx, pixelake, scratch
from rig.tables import say, spread, table

ROUNDS: Final = 5
COLUMNS: Final = {
    "answers/s": ("rate", ",.0f"),
    "CPU µs/answer": ("cpu", ".1f"),
    "machine µs/answer": ("machine", ".1f"),
    "p50 ms": ("p50", ".1f"),
    "p99 ms": ("p99", ".1f"),
    "p99.9 ms": ("p999", ".1f"),
    "written B/answer": ("written", ",.0f"),
    "memory MB": ("resident", ".0f"),
    "+ B/answer": ("growth", ",.1f"),
}


class Mode(NamedTuple):
    """How requests come: so many connections at a time, each closed after its answer or not, with TLS or not."""

    name: str
    connections: int
    close: bool = False
    tls: bool = False


def keepalive(options: Options) -> None:
    """64 and 512 connections that stay."""
    _compare([Mode("64, kept alive", 64), Mode("512, kept alive", 512)], options)


def connections(options: Options) -> None:
    """A new connection for each request."""
    _compare([Mode("64, each new", 64, close=True)], options)


def tls(options: Options) -> None:
    """TLS, with the same certificate for all."""
    _compare([Mode("64 TLS, kept alive", 64, tls=True), Mode("64 TLS, each new", 64, close=True, tls=True)], options)


def _compare(modes: Sequence[Mode], options: Options) -> None:
    rows: list[list[str]] = []
    ratios: list[list[str]] = []
    proofs: list[str] = []
    for mode in modes:
        runs, proof = _rounds(mode, options.rounds or ROUNDS, options.seconds)
        rows += [
            [mode.name, name, *(spread([getattr(run, key) for run in found], form) for key, form in COLUMNS.values())]
            for name, found in runs.items()
        ]
        ratios += _ratios(mode, runs)
        proofs.append(f"{mode.name}: {proof}.")
    table("Closed loop", ["connections", "server", *COLUMNS], rows)
    table("pixelake / nginx, round by round", ["connections", "against", "CPU", "machine", "answers/s"], ratios)
    print("", *proofs, sep="\n", flush=True)


def _rounds(mode: Mode, rounds: int, seconds: float) -> tuple[dict[str, list[Run]], str]:
    """Runs by server, in turns, each round beginning with another; and the proof of pixelake's."""
    ledger = Ledger()
    with scratch() as folder:
        with ExitStack() as stack:
            pair = make_certificate(folder) if mode.tls else None
            ours = stack.enter_context(pixelake(folder, tls=pair))
            servers = [*_rivals(stack, pair), ours]
            runs: dict[str, list[Run]] = {server.name: [] for server in servers}
            spoken = "; ".join(f"{each.name} speaks {negotiated(each)}" for each in servers if each.tls)
            for turn in range(rounds + 1):  # the first is to warm up
                first = turn % len(servers)
                for server in servers[first:] + servers[:first]:
                    say(f"{mode.name}, round {turn} of {rounds}: {server.name}")
                    run = wrk(server, mode.connections, seconds if turn else 1, close=mode.close)
                    if server is ours:
                        ledger.enter(run, mode.connections)
                    if turn:
                        runs[server.name].append(run)
        return runs, ledger.check(folder / "data") + (f"; {spoken}" if spoken else "")


def _rivals(stack: ExitStack, pair: Pair | None) -> list[Server]:
    starts = [partial(nginx, tls=pair), partial(nginx, buffered=True, tls=pair)]
    return [stack.enter_context(start(stack.enter_context(scratch()))) for start in starts]


def _ratios(mode: Mode, runs: dict[str, list[Run]]) -> list[list[str]]:
    *rivals, (_, ours) = runs.items()
    return [
        [
            mode.name,
            name,
            *(
                spread([getattr(a, key) / getattr(b, key) for a, b in zip(ours, theirs, strict=True)], ".2f")
                for key in ("cpu", "machine", "rate")
            ),
        ]
        for name, theirs in rivals
    ]
