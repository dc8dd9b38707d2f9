"""The batch record as one HTML file: for the screen, for paper, for the archive. It needs nothing but itself."""

import os
from pathlib import Path
from typing import Final

from controller.clock import wall_ns
from controller.errors import FileError, JournalError, Problem
from controller.journal import batch as facts
from controller.journal.batch import Record
from controller.journal.chain import Verified, verify
from controller.journal.charts import trends
from controller.journal.coupons import beside, called, judged
from controller.journal.entry import VIRTUAL
from controller.journal.estimate_page import Believed
from controller.journal.figures import figures
from controller.journal.product import Lab
from controller.journal.reader import JournalReader
from controller.journal.reference import Reference, read_reference, within
from controller.journal.table import thin
from controller.journal.tracking import tracking
from controller.journal.words import elapsed, label, lateness, moments, number, shown, signed, terse, utc

NO_RESULTS: Final = Lab((), ())
_POINTS: Final = 1400  # per trend: two for each tenth of a millimetre on paper
_HEAD_BYTES: Final = 2000  # of a record, in which its batch is named
_VERDICTS: Final = {  # result -> class, mark, sentence
    "COMPLETE": ("complete", "✔", "The recipe ran to its end."),
    "TIMED": (
        "stopped",
        "!",
        "The recipe ran to its end, but time or a person ended the cure, not its endpoint. Examine coupons.",
    ),
    "STOPPED": ("stopped", "■", "Ended early by a stop; the recipe did not run to its end."),
    "ABORTED": ("aborted", "✖", "Aborted; the product was not made as the recipe says."),
    "RUNNING": ("running", "▶", "The batch has not ended; this is a snapshot."),
    "UNFINISHED": ("stopped", "?", "No end was recorded before the next batch began."),
}


def report(
    journal_path: Path | str, out_path: Path | str | None = None, batch_id: str | int | None = None, lab: Lab = NO_RESULTS,
    reference_path: Path | None = None,
) -> Path:  # fmt: skip
    """Write the record of a batch (the newest without a ``batch_id``) to ``out_path`` and return it.

    Without ``out_path`` it goes to ``batch-report-NUMBER.html`` in the working folder. What is there already is replaced when it is an
    earlier record of the same batch, and nothing else is. ``lab`` are laboratory results, ``reference_path`` a file of curves to draw
    beside the estimate as ``reference.read_reference`` reads it. The core may run meanwhile.

    Raises:
        JournalError: the journal cannot be read or holds no such batch; or its chain is broken, and then the record is written and says so.
        FileError: the reference is wrong or of another time, or ``out_path`` may not be written.
    """
    with JournalReader(journal_path) as reader:
        record = facts.gather(reader, batch_id)
    batch_s = record.end_s - record.start.at_s
    reference = None if reference_path is None else within(read_reference(reference_path), reference_path, batch_s)
    out = Path(f"batch-report-{record.batch.batch_id}.html" if out_path is None else out_path)
    _check_out(out, record)
    chain = verify(journal_path)
    page = _page(record, lab, journal_path, reference, chain)
    partial = out.with_name(f"{out.name}.part")
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, out)
    if chain.first_bad_seq is not None:
        raise JournalError(f"{out} is written, but the chain of {journal_path} is broken: {chain.text}")
    return out


def _mark(record: Record) -> str:
    """Return by what the head of a record names its batch: the hash of the entry that began it."""
    return f'<meta name="batch-start" content="{record.start.hash.hex()}">'


def _check_out(out: Path, record: Record) -> None:
    """Raise FileError unless ``out`` is new in a folder that exists, or an earlier record of the same batch."""
    if not out.parent.is_dir():
        raise FileError(str(out), [Problem("--out", str(out.parent), "must be a folder that exists")])
    if not out.exists():
        return
    if not out.is_file() or _mark(record).encode() not in out.read_bytes()[:_HEAD_BYTES]:
        raise FileError(str(out), [Problem("--out", str(out), "must be a new file or an earlier record of the same batch")])


def _result(record: Record) -> str:
    """Return the result; a complete batch whose CURE was left without its endpoint is TIMED."""
    cured = any(phase.kind == "CURE" for phase in facts.phases(record))
    return "TIMED" if record.result == "COMPLETE" and cured and facts.endpoint_s(record) is None else record.result


def _page(record: Record, lab: Lab, journal_path: Path | str, reference: Reference | None, chain: Verified) -> str:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("controller.journal", "."),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": utc, "elapsed": elapsed, "label": label, "shown": shown, "terse": terse, "number": number,
                            "moments": moments, "lateness": lateness, "signed": signed, "called": called}  # fmt: skip
    started = record.start.fields()
    drawing = trends(thin(record.table, _POINTS), record.start.at_s, facts.marks_of(record)) if len(record.table.at_s) > 1 else ""
    intents = facts.intents(record)
    held = beside(record, lab.coupons, Path(journal_path).name)
    verdict, mark, sentence = _VERDICTS.get(_result(record), ("stopped", "?", ""))
    return environment.get_template("report.html").render(
        record=record, batch_mark=Markup(_mark(record)), start_s=record.start.at_s, verdict=verdict, mark=mark, sentence=sentence,
        figures=figures(record),
        started=started, ended=record.end.fields() if record.end else {}, phases=facts.phases(record), alarms=facts.alarms(record),
        rates=facts.alarm_figures(record), intents=intents, unsettled=[one for one in intents if one.ok is not True],
        beside=held, judged=[*lab.properties, *judged(record, held)], drawing=Markup(drawing), believed=Believed.of(record, reference),
        followed=tracking(record), edits=facts.edits(record), chain=chain, journal=Path(journal_path).name,
        simulated=record.boot.get("version") == VIRTUAL, printed=wall_ns(),
    )  # fmt: skip
