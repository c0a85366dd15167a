"""`pixelake query`: the named questions, as the API and the dashboard ask them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from pixelake import build
from pixelake.build import asking
from pixelake.cli.base import FORMAT, Command, Group, Misuse, print_rows, program, say, settings_of
from pixelake.errors import Misasked, QueryError
from pixelake.operate import folder
from pixelake.operate.turns import turn

if TYPE_CHECKING:
    import pyarrow as pa

    from pixelake.warehouse.ask import Answer, Ask, Explained
    from pixelake.warehouse.clocks import Clocks
    from pixelake.warehouse.questions import Question

NOW: Final = "now"
"""The question that the live store answers."""
LIMIT: Final = 10
"""Rows of a list, if nothing is said."""
_DIALECTS: Final = ("duckdb", "trino", "clickhouse")
_INTERVALS: Final = ("minute", "quarter", "hour", "day", "week", "month")


class _Named(Group):
    """A command a question, each with its own options."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all questions."""
        from pixelake.warehouse.questions import questions

        return [*super().list_commands(ctx), *questions(), NOW]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """What asks the question of that name; None if there is none."""
        from pixelake.warehouse.questions import questions

        if cmd_name == NOW:
            return _now()
        question = questions().get(cmd_name)
        return _command(question) if question else super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """See click; a question that there is not has the others for a hint."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise Misuse(f"question: there is no {args[0][:60]!r}", f"there are {', '.join(self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without them: there are many, and `pixelake query` lists them."""


@program.group(cls=_Named, invoke_without_command=True, subcommand_metavar="QUESTION [OPTIONS]...")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def query(context: click.Context, form: str) -> None:
    """Ask a named question; without one, list them all. `pixelake query QUESTION --help` tells what it takes."""
    if context.invoked_subcommand is None:
        print_rows(_listed(), form)


def _listed() -> "pa.Table":
    """Every question and what it answers."""
    import pyarrow as pa

    from pixelake.warehouse.now import SUMMARY
    from pixelake.warehouse.questions import questions

    rows = [{"question": each.name, "group": each.group, "answers": each.summary} for each in questions().values()]
    return pa.Table.from_pylist([*rows, {"question": NOW, "group": "traffic", "answers": SUMMARY}])


def _command(question: "Question") -> click.Command:
    """The command of a question."""

    def ask(**given: Any) -> None:
        _ask(click.get_current_context(), question, given)

    own = [_option_of(each.name, each.meaning, each.default, each.choices, each.type) for each in question.options]
    made = Command(
        question.name, params=[*_common(question), *own], callback=ask, help=question.summary, short_help=question.group
    )
    taken = {name for each in (*_common(question), *own) for name in each.opts}
    made.params = [
        each for each in made.params if not (each.name or "").startswith("setting_") or not taken & {*each.opts}
    ]
    return made


def _option_of(name: str, meaning: str, default: str, choices: Sequence[str], kind: str) -> click.Option:
    return click.Option(
        [f"--{name.replace('_', '-')}", f"own_{name}"],
        type=click.Choice(list(choices)) if choices else str,
        metavar=None if choices else f"<{kind}>",
        multiple=kind in {"texts", "filters", "ints", "floats"},
        help=f"{meaning}{f'  [default: {default}]' if default else ''}",
    )


def _common(question: "Question") -> list[click.Option]:
    """What questions take."""
    of_lists = [
        click.Option(["--limit"], type=int, default=LIMIT, show_default=True, help="Rows at most."),
        click.Option(["--skip"], type=int, default=0, help="Rows that are passed over before."),
    ]
    of_series = [click.Option(["--interval"], metavar=f"[{'|'.join(_INTERVALS)}]", help="How long a bucket is.")]
    return [
        click.Option(["--site"], help="Only this one; else all."),
        click.Option(["--from", "start"], help="A date, or a time; included."),
        click.Option(["--to", "end"], help="A date, or a time; excluded."),
        click.Option(
            ["--period"],
            help="today, yesterday, 24h, 7d, 30d, last-week, month, last-month, 12mo, year; else 30d.",
        ),
        click.Option(["--zone"], help="On whose wall clock; else the site's."),
        *({"list": of_lists, "series": of_series}.get(question.kind, [])),
        click.Option(
            ["--filter", "filters"], multiple=True, help="Which events: 'country is DE', 'path contains /blog'."
        ),
        click.Option(["--all", "everybody"], is_flag=True, help="Also machines and repeats."),
        click.Option(["--compare"], is_flag=True, help="Also the period before."),
        click.Option(["--option", "more"], multiple=True, metavar="NAME=VALUE", help="One of its own options."),
        click.Option(["--explain"], is_flag=True, help="Tell where the rows would come from, instead."),
        click.Option(["--sql", "dialect"], type=click.Choice(_DIALECTS), help="Say it in that SQL, instead."),
        click.Option(["--format", "form"], type=FORMAT, default="table", show_default=True),
    ]


def _ask(context: click.Context, question: "Question", given: Mapping[str, Any]) -> None:
    chosen = settings_of(context)
    folder.existing(chosen.data)
    shared = asking.Look(chosen)
    clocks = asking.wall_clocks(chosen, shared)
    with turn(chosen.data), build.asked_lake(chosen) as lake, _misuse():
        questions = asking.questions(lake, clocks, shared)
        ask = _asked(question, given, lake.standing().columns, clocks())
        if given["dialect"]:
            click.echo(_said(ask, clocks(), given["dialect"], shared))
            return
        if given["explain"]:
            _tell(questions.explain(ask), given["form"])
            return
        answer = questions.ask(ask)
    print_rows(answer.table, given["form"])
    _note(answer, ask)


def _said(ask: "Ask", clocks: "Clocks", dialect: str, shared: "asking.Look") -> str:
    """The question in the SQL of another engine."""
    try:
        from pixelake.warehouse.elsewhere import elsewhere
    except ImportError as error:
        raise Misuse(f"--sql needs {error.name}", "pip install 'pixelake[elsewhere]'") from None
    return elsewhere(ask, clocks, dialect, lambda what: getattr(shared.snapshot(), what))


def _asked(question: "Question", given: Mapping[str, Any], columns: Mapping[str, str], clocks: "Clocks") -> "Ask":
    from pixelake.warehouse import filters
    from pixelake.warehouse.ask import Ask
    from pixelake.warehouse.period import period
    from pixelake.warehouse.zones import Clock, fixed

    try:
        clock = Clock(fixed(given["zone"])) if given["zone"] else clocks.of(given["site"])
        start, end = period(given["start"], given["end"], given["period"], clock, datetime.now(UTC))
        chosen_filter = filters.parse(given["filters"], filters.filterable(columns))
    except QueryError as error:
        raise Misasked(str(error), error.hint) from None
    return Ask(
        question.name,
        start,
        end,
        site=given["site"],
        zone=given["zone"],
        interval=given.get("interval"),
        filter=chosen_filter,
        people=not given["everybody"],
        compare=given["compare"],
        limit=given.get("limit"),
        skip=given.get("skip", 0),
        options=_own(given),
    )


def _own(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the question itself."""
    found = {name.removeprefix("own_"): value for name, value in given.items() if name.startswith("own_") and value}
    for text in given["more"]:
        name, equals, value = text.partition("=")
        if not equals:
            raise Misasked(f"option: {text[:40]!r} is no name and value", "like --option window=7")
        found[name.replace("-", "_")] = value
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


@contextmanager
def _misuse() -> Iterator[None]:
    """What cannot be asked so is misuse of the command."""
    try:
        yield
    except Misasked as error:
        raise Misuse(str(error), error.hint) from error


def _tell(found: "Explained", form: str) -> None:
    """Where the rows would come from; to people also by which SQL."""
    import pyarrow as pa

    names = ("source", "first", "last", "files")
    columns = {name: [getattr(each, name) for each in found.parts] for name in names}
    print_rows(pa.table(columns), form)
    if form == "table":
        click.echo(f"\n{found.sql}")


def _note(answer: "Answer", ask: "Ask") -> None:
    for column, why in answer.notes.items():
        say(f"{column} has no value: {why}", "")
    if answer.more:
        say(f"these are the first {ask.limit} rows behind {ask.skip}, there are more", "see --limit and --skip")


def _now() -> click.Command:
    """The command of the question that the live store answers."""
    from pixelake.warehouse.now import SUMMARY

    def ask(site: str | None, form: str) -> None:
        from pixelake.warehouse.now import table

        chosen = settings_of(click.get_current_context())
        folder.existing(chosen.data)
        known = asking.wall_clocks(chosen, asking.Look(chosen))().known
        if site is not None and known is not None and site not in known:
            raise Misuse(f"site: there is no site {site[:60]!r}", "`pixelake sites list` lists them")
        print_rows(table(build.live_reader(chosen), site), form)

    options: list[click.Parameter] = [
        click.Option(["--site"], help="Only this one; else all."),
        click.Option(["--format", "form"], type=FORMAT, default="table", show_default=True),
    ]
    return Command(NOW, params=options, callback=ask, help=SUMMARY)
