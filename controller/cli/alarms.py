"""``ovenctl alarms``: the alarm list, its figures, and what people do to alarms."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from controller.alarms.rationalisation import TABLE
from controller.alarms.states import State
from controller.alarms.statistics import FLOOD_ABOVE, Statistics, statistics
from controller.cli.asking import AsJson, Asker, ConfigPath, JournalPath, ask, configured, console
from controller.journal import alarms as told
from controller.journal.alarms import Listed
from controller.journal.reader import JournalReader
from controller.journal.words import elapsed
from controller.recipe.states import Verb

_Rule = Annotated[str, typer.Argument(help="row of the interlock table, as the list shows it")]
_Reason = Annotated[str, typer.Option(help="why; goes into the journal")]
_STYLE: Final = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow", "LOW": "cyan", "JOURNAL": "dim"}

app = typer.Typer(invoke_without_command=True, help="The alarm list (without a command), its figures, and what people do to alarms.")


@app.callback()
def show(context: typer.Context, journal: JournalPath = None, config: ConfigPath = None, as_json: AsJson = False,
         every: Annotated[bool, typer.Option("--all", help="also entries of journal priority")] = False) -> None:  # fmt: skip
    """Show the alarms that stand, with what to do about them."""
    if context.invoked_subcommand is not None:
        return
    with JournalReader(journal or Path(configured(config).core.journal)) as reader:
        entries = list(told.all_of(reader))
        last = reader.after(reader.last_seq() - 1, 1)
    now_s = last[-1].at_s if last else 0.0
    listed = [one for one in told.alarm_list(entries) if every or one.priority != "JOURNAL"]
    figures = statistics(told.stood(entries), now_s - 3600.0, now_s)
    if as_json:
        sys.stdout.write(json.dumps({"at_s": now_s, "alarms": [one._asdict() for one in listed]}) + "\n")
        return
    for line in banner(listed, figures):
        console.print(line, highlight=False)
    console.print(_table(listed, now_s) if listed else "no alarm")


@app.command()
def stats(journal: JournalPath = None, config: ConfigPath = None, as_json: AsJson = False,
          hours: Annotated[float | None, typer.Option(min=0.2, help="of process time, back from now; the whole journal without")] = None
          ) -> None:  # fmt: skip
    """Show rates, floods, chattering and stale alarms and the ten most frequent ones, after ISA-18.2."""
    with JournalReader(journal or Path(configured(config).core.journal)) as reader:
        figures = read_statistics(reader, hours)
    if as_json:
        sys.stdout.write(json.dumps({**figures._asdict(), "floods": [one._asdict() for one in figures.floods]}) + "\n")
        return
    for name, value in lines(figures):
        console.print(f"{name:28} {value}", soft_wrap=True, highlight=False, markup=False)


@app.command()
def acknowledge(rule: Annotated[str | None, typer.Argument(help="one alarm; all without")] = None, reason: _Reason = "",
                user: Asker = None, config: ConfigPath = None) -> None:  # fmt: skip
    """Acknowledge one alarm or all; an operator latch whose cause is gone goes with it."""
    ask(configured(config), Verb.ACKNOWLEDGE, user, {"reason": reason} | ({} if rule is None else {"rule": rule}), None)


@app.command()
def confirm(rule: Annotated[str | None, typer.Argument(help="one alarm; all without")] = None, reason: _Reason = "",
            user: Asker = None, config: ConfigPath = None) -> None:  # fmt: skip
    """Confirm that the cause of a trip was found and dealt with, when its alarm is gone and acknowledged."""
    ask(configured(config), Verb.CONFIRM_ALARM, user, {"reason": reason} | ({} if rule is None else {"rule": rule}), None)


@app.command()
def shelve(rule: _Rule, minutes: float, reason: _Reason, user: Asker = None, config: ConfigPath = None) -> None:
    """Put an alarm aside for some minutes; what its row does to the oven stays."""
    ask(configured(config), Verb.SHELVE, user, {"rule": rule, "minutes": minutes, "reason": reason}, None)


@app.command()
def unshelve(rule: _Rule, reason: _Reason = "", user: Asker = None, config: ConfigPath = None) -> None:
    """Take an alarm back from the shelf."""
    ask(configured(config), Verb.UNSHELVE, user, {"rule": rule, "reason": reason}, None)


@app.command("out-of-service")
def out_of_service(rule: _Rule, reason: _Reason, user: Asker = None, config: ConfigPath = None) -> None:
    """Take an alarm out of service until it is put back (engineer); what its row does to the oven stays."""
    ask(configured(config), Verb.OUT_OF_SERVICE, user, {"rule": rule, "reason": reason}, None)


@app.command("in-service")
def in_service(rule: _Rule, reason: _Reason, user: Asker = None, config: ConfigPath = None) -> None:
    """Put an alarm back in service (engineer)."""
    ask(configured(config), Verb.IN_SERVICE, user, {"rule": rule, "reason": reason}, None)


def read_statistics(reader: JournalReader, hours: float | None) -> Statistics:
    """Return the figures of the last ``hours`` of process time, or of the whole journal.

    Raises:
        JournalError: the journal cannot be read.
    """
    first, last = reader.after(0, 1), reader.after(reader.last_seq() - 1, 1)
    to_s = last[-1].at_s if last else 0.0
    from_s = max(first[0].at_s if first else 0.0, to_s - 3600.0 * hours if hours is not None else float("-inf"))
    return statistics(told.stood(told.all_of(reader)), from_s, to_s)


def banner(listed: list[Listed], figures: Statistics) -> Iterator[str]:
    """Yield what must be said before the list: a flood, and what is hidden."""
    if figures.floods and figures.floods[-1].to_s is None:
        flood = figures.floods[-1]
        yield f"[bold red]ALARM FLOOD[/]: {flood.announced} since {elapsed(figures.to_s - flood.from_s)} (h:mm:ss)"
    hidden = [one for one in listed if one.state in (State.SHELVED, State.OUT_OF_SERVICE)]
    if hidden:
        yield "not announced: " + ", ".join(f"{one.rule} ({_words(one.state)} by {escape(one.user)})" for one in hidden)


def lines(figures: Statistics) -> Iterator[tuple[str, str]]:
    """Yield name and value of each figure, for people."""
    yield "span of process time", elapsed(figures.to_s - figures.from_s)
    yield "announced", f"{figures.announced}; {figures.per_10_min:.2f} per 10 min, {figures.per_hour:.1f} per hour"
    yield "most in any 10 min", f"{figures.worst_10_min}; {100 * figures.windows_above:.1f} % of the time above {FLOOD_ABOVE} per 10 min"
    yield "floods", "; ".join(
        f"{elapsed(one.from_s)} to {'now' if one.to_s is None else elapsed(one.to_s)}: {one.announced}, worst {one.worst_in_window}"
        for one in figures.floods
    ) or "none"  # fmt: skip
    yield "chattering (3 in a minute)", ", ".join(f"{rule} ({count} in a minute)" for rule, count in figures.chattering) or "none"
    yield "stale (over 24 h)", ", ".join(f"{rule} ({elapsed(stood_s)})" for rule, stood_s in figures.stale) or "none"
    yield "by priority", ", ".join(f"{one.value} {count} ({100 * share:.0f} %)" for one, count, share in figures.by_priority) or "none"
    yield "median time to acknowledge", elapsed(figures.to_acknowledge_s)
    for place, (rule, count, share) in enumerate(figures.top, 1):
        yield f"top {place}", f"{rule}: {count} ({100 * share:.0f} %)"


def _table(listed: list[Listed], now_s: float) -> Table:
    table = Table()
    for column in ("alarm", "priority", "state", "since", "text", "what to do"):
        table.add_column(column)
    for one in listed:
        since = "-" if one.since_s is None else elapsed(now_s - one.since_s)
        rationale = TABLE.get(one.rule)
        table.add_row(one.rule, one.priority, escape(_state(one, now_s)), since, one.text + (" · FIRST OUT" if one.first_out else ""),
                      "" if rationale is None else rationale.action, style=_STYLE.get(one.priority, ""))  # fmt: skip
    return table


def _state(one: Listed, now_s: float) -> str:
    said = _words(one.state)
    if one.state is State.SHELVED and one.until_s is not None:
        return f"{said} by {one.user}, {max(0.0, one.until_s - now_s) / 60:.0f} min left: {one.reason}"
    if one.state is State.OUT_OF_SERVICE:
        return f"{said} by {one.user}: {one.reason}"
    return f"{said} by {one.by}" if one.state is State.SUPPRESSED else said


def _words(state: State) -> str:
    return state.value.lower().replace("_", " ")
