"""Why can't I, asked of the running core through its journal: rows that stand, the last sample, the last checkpoint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, get_type_hints

from controller import recorder
from controller.errors import JournalError
from controller.image import SIGNALS, Inputs
from controller.interlocks.conditioning import condition
from controller.journal import samples
from controller.journal.entry import Stored
from controller.journal.reader import JournalReader
from controller.memory import Memory, Settings
from controller.permissives import Blocker, Question, blockers
from controller.tags import Quality, Sample

FRESH_S: Final = 10.0  # wall; a running core writes each second
_HINTS: Final = get_type_hints(Inputs)


class Answer(NamedTuple):
    """What was in the way at ``at_s``, process time; ``since_wall_ns`` is when the journal last heard of the oven."""

    question: Question
    at_s: float
    wall_ns: int
    found: list[Blocker]


def why(journal: Path, settings: Settings, question: Question) -> Answer:
    """Return what is in the way of ``question``.

    Raises:
        JournalError: there is no journal, or no core has written a scan to it.
    """
    with JournalReader(journal) as reader:
        checkpoint, sample = reader.last("checkpoint"), reader.last("sample")
        if checkpoint is None or sample is None:
            raise JournalError("the journal holds no scan yet; is the core running?")
        memory = recorder.memory_of(checkpoint)
        inputs = inputs_of(reader, sample)
        active = standing(reader, memory)
    process = condition(settings.limits, inputs, memory.proof.gauges, memory.sensors)
    return Answer(question, sample.at_s, sample.wall_ns, blockers(question, settings, memory, active, inputs, process))


def lines(answer: Answer, now_wall_ns: int) -> Iterator[str]:
    """Yield what a person reads of an answer."""
    age_s = (now_wall_ns - answer.wall_ns) / 1e9
    if age_s > FRESH_S:
        yield f"the journal's last scan is {age_s:.0f} s old: this is how it stood then; is the core running?"
    yield f"{answer.question}: " + ("nothing is in the way" if not answer.found else f"{len(answer.found)} in the way")
    for one in answer.found:
        yield f"  {one}"
        if one.action:
            yield f"      {one.action}"


def standing(reader: JournalReader, memory: Memory) -> frozenset[str]:
    """Return the rows that are active now."""
    last = reader.last("standing")
    return memory.interlocks.active if last is None else frozenset(str(rule) for rule in last.fields().get("rows", ()))


def inputs_of(reader: JournalReader, stored: Stored) -> Inputs:
    """Return the process image of a sample; signals that its release did not know are absent.

    Raises:
        JournalError: the sample is of a release that cannot be read.
    """
    columns = reader.columns(stored.boot)
    if columns is None:
        raise JournalError(f"the start of boot {stored.boot} is not in the journal")
    values, qualities = samples.unpack(stored.payload, columns), samples.unpack_qualities(stored.payload, columns)
    found = [_sample(name, values.get(name), qualities.get(name), stored.at_s) for name in SIGNALS]
    return Inputs(stored.at_s, recorder.SAMPLE_S, *found)


def _sample(name: str, value: float | None, quality: Quality | None, at_s: float) -> Sample[Any]:
    if value is None or quality is None:
        return Sample(None, Quality.ABSENT, at_s)
    if quality is not Quality.GOOD or value != value:
        return Sample(None, quality, at_s)
    kind = _HINTS[name]
    return Sample(bool(value) if kind == Sample[bool] else int(value) if kind == Sample[int] else value, quality, at_s)
