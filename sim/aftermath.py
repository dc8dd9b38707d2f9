"""What a journal must still say after its core was killed again and again; every check gives the violations it finds, as sentences.

Times are process seconds unless a name says wall. The checks look only at the journal's entries, the mailbox's ids and when the kills fell.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

from controller.control.actuation import GIVE_UP_S
from controller.journal.breaks import WHY
from controller.journal.entry import Stored

ACTIVE: Final = ("RUNNING", "HOLDING", "HELD", "RESTARTING")  # states in which power-fail recovery has something to decide
DECIDE_S: Final = 10.0  # from the core's start to its decision
EVERY_S: Final = 1.0  # between two samples
UNMARKED_S: Final = 1.0  # that may be missing beside what a gap entry names,
TAKING_OVER_WALL_S: Final = 0.25  # and on the wall at any rate, while the core's first scan is made
LOST_WALL_S: Final = 1.0  # samples reach the disk half a second late at most, on the wall at any rate; the rest is the time of the disk


class Figures(NamedTuple):
    """What was counted, and the worst of each kind."""

    entries: int
    boots: int
    gaps: int
    decisions: dict[str, int]  # plan -> times
    slowest_decision_s: float
    lost_wall_s: float  # before a kill, not on the disk
    unmarked_s: float
    commands: int
    intents: int
    abandoned: int  # of which the outcome is that the core was killed


def check(
    entries: Sequence[Stored], posted: Collection[str], kills_ns: Sequence[int], blocks_ns: Sequence[int], rate: float
) -> tuple[Figures, list[str]]:
    """Return figures and violations of a whole journal.

    Args:
        entries: all of them, in order.
        posted: ids of the commands that were put into the mailbox.
        kills_ns: wall clock of every kill, ns.
        blocks_ns: wall clock of every moment at which the PLC was seen to have taken another block, ns.
        rate: process seconds per wall second.
    """
    boots = list(_boots(entries))
    wrong = [*_sequence(entries), *_states(entries), *_commands(entries, posted)]
    intents, abandoned, unanswered = _intents(entries)
    gaps, unmarked_s, unmarked = _gaps(boots, UNMARKED_S + TAKING_OVER_WALL_S * rate)
    slowest_s, plans, late = _decisions(boots, kills_ns, rate)
    lost_s, lost = _lost(entries, kills_ns, blocks_ns)
    wrong += [*unanswered, *unmarked, *late, *lost]
    commands = sum(found.kind == "command" for found in entries)
    figures = Figures(len(entries), len(boots), gaps, dict(plans), slowest_s, lost_s, unmarked_s, commands, intents, abandoned)
    return figures, wrong


def _boots(entries: Sequence[Stored]) -> Iterator[list[Stored]]:
    """Yield the entries of each start of the core."""
    now: list[Stored] = []
    for found in entries:
        if now and found.boot != now[0].boot:
            yield now
            now = []
        now.append(found)
    if now:
        yield now


def _sequence(entries: Sequence[Stored]) -> Iterator[str]:
    last_boot, last_s = 0, 0.0
    for seq, found in enumerate(entries, start=1):
        if found.seq != seq:
            yield f"entry {seq} is missing, {found.seq} follows"
            return
        if found.boot not in (last_boot, last_boot + 1):
            yield f"entry {seq}: start {found.boot} follows start {last_boot}"
        if found.boot != last_boot and found.kind != "boot":
            yield f"entry {seq}: start {found.boot} begins with {found.kind}"
        if found.at_s < last_s - 1e-6:
            yield f"entry {seq} ({found.kind}): process time runs back from {last_s:.2f} to {found.at_s:.2f} s"
        last_boot, last_s = found.boot, max(last_s, found.at_s)


def _states(entries: Sequence[Stored]) -> Iterator[str]:
    state = "IDLE"
    for found in entries:
        if found.kind == "state":
            said = found.fields()
            if said["from"] != state:
                yield f"entry {found.seq}: the unit moves from {said['from']}, it was {state}"
            state = str(said["to"])


def _commands(entries: Sequence[Stored], posted: Collection[str]) -> Iterator[str]:
    answers = Counter(str(found.fields()["id"]) for found in entries if found.kind == "command")
    for name in posted:
        if answers[name] != 1:
            yield f"command {name}: {answers[name]} answers"
    for name in answers.keys() - set(posted):
        yield f"command {name}: answered and never posted"


def _intents(entries: Sequence[Stored]) -> tuple[int, int, list[str]]:
    """Return the number of actuations, how many of them were abandoned in so many words, and the ones without exactly one outcome."""
    due: dict[tuple[int, str], float] = {}
    count, abandoned, wrong = 0, 0, []
    last_number = 0
    for found in entries:
        if found.kind == "intent":
            said = found.fields()
            if said["number"] <= last_number:
                wrong.append(f"entry {found.seq}: intent {said['number']} follows intent {last_number}")
            last_number = said["number"]
            due.update({(last_number, output): found.at_s for output in said["changes"]})
            count += len(said["changes"])
        elif found.kind == "outcome":
            said = found.fields()
            if due.pop((said["number"], said["output"]), None) is None:
                wrong.append(f"entry {found.seq}: outcome of intent {said['number']} ({said['output']}), which waits for none")
            abandoned += said["why"] == WHY
    end_s = entries[-1].at_s - GIVE_UP_S - 2 * EVERY_S  # the last core was stopped before it could see what became of younger ones
    return count, abandoned, wrong + [f"intent {number} ({output}): no outcome" for (number, output), at_s in due.items() if at_s < end_s]


def _gaps(boots: Sequence[Sequence[Stored]], most_s: float) -> tuple[int, float, list[str]]:
    """Return the number of gap entries, the longest time without samples that none of them names, and what is too long."""
    count, worst_s, wrong = 0, 0.0, list[str]()
    last_s: float | None = None  # of the last sample so far
    marked: list[dict[str, Any]] = []  # since then: starts that were killed before they sampled name gaps too
    for boot in boots:
        named = [found.fields() for found in boot if found.kind == "gap"]
        count += len(named)
        marked += named
        sampled = [found.at_s for found in boot if found.kind == "sample"]
        if not sampled:
            continue
        if last_s is not None:
            named_s = sum(max(0.0, gap["to_s"] - max(gap["from_s"], last_s)) for gap in marked)
            missing_s = sampled[0] - last_s - named_s - 2 * EVERY_S  # one interval before it and one after it are no loss
            worst_s = max(worst_s, missing_s)
            if missing_s > most_s:
                wrong.append(f"start {boot[0].boot}: {missing_s:.1f} s without samples beside the gap entries")
        last_s, marked = sampled[-1], []
    return count, worst_s, wrong


def _decisions(boots: Sequence[Sequence[Stored]], kills_ns: Sequence[int], rate: float) -> tuple[float, Counter[str], list[str]]:
    """Return the longest time to a resume decision, how often which was taken, and the starts that took none in time."""
    state, slowest_s, plans, wrong = "IDLE", 0.0, Counter[str](), list[str]()
    for boot in boots:
        begun, was = boot[0], state
        state = next((str(found.fields()["to"]) for found in reversed(boot) if found.kind == "state"), state)
        if begun.boot == 1 or was not in ACTIVE:
            continue
        decided = next((found for found in boot if found.kind == "decision" and found.fields()["what"] == "power-fail recovery"), None)
        if decided is not None:
            slowest_s = max(slowest_s, decided.at_s - begun.at_s)
            plans[str(decided.fields()["plan"])] += 1
        over = next((found for found in boot if found.kind == "state" and found.fields()["to"] in ("ABORTING", "STOPPING")), None)
        if decided is None and over is not None and over.at_s - begun.at_s <= DECIDE_S:  # somebody was quicker
            continue
        ended_ns = min((one for one in kills_ns if one > begun.wall_ns), default=None)
        lived_s = float("inf") if ended_ns is None else (ended_ns - begun.wall_ns) / 1e9 * rate
        if lived_s > DECIDE_S and (decided is None or decided.at_s - begun.at_s > DECIDE_S):
            after = "none" if decided is None else f"after {decided.at_s - begun.at_s:.1f} s"
            wrong.append(f"start {begun.boot} in {was}: resume decision {after}, wanted within {DECIDE_S:g} s (it lived {lived_s:.0f} s)")
    return slowest_s, plans, wrong


def _lost(entries: Sequence[Stored], kills_ns: Sequence[int], blocks_ns: Sequence[int]) -> tuple[float, list[str]]:
    """Return the longest wall time between the last entry on the disk and the last block before a kill, and what is too long.

    A block is written after its scan was journaled: one that the PLC took later than the last entry is of a scan whose sample was lost.
    """
    worst_s, wrong = 0.0, []
    for number, kill_ns in enumerate(kills_ns, start=1):
        stamps_ns = [found.wall_ns for found in entries if found.wall_ns <= kill_ns]
        taken_ns = [one for one in blocks_ns if one <= kill_ns]
        if not stamps_ns or not taken_ns:
            continue
        lost_s = (taken_ns[-1] - stamps_ns[-1]) / 1e9
        worst_s = max(worst_s, lost_s)
        if lost_s > LOST_WALL_S:
            wrong.append(f"kill {number}: the last {lost_s:.2f} s on the wall are not in the journal")
    return worst_s, wrong
