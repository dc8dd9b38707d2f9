"""Many runs: over processes, each written down as it ends, and taken up again after a break."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from controller.errors import FileError, Problem
from controller.validation import problems_of
from sim.campaign import one
from sim.campaign.figures import summary
from sim.campaign.one import Campaign
from sim.campaign.outcome import Run


def campaign(what: Campaign, seeds: Sequence[int], jobs: int, out: Path | None = None, resume: bool = False) -> dict[str, Any]:
    """Return the sum over ``seeds``; with ``out`` each run is a line of it as soon as it has ended.

    A seed is given to whichever of the ``jobs`` processes is free; the sum does not depend on who ran what. Each run that ends is told on
    stderr. With ``resume`` the runs that ``out`` already holds are not made again.

    Raises:
        FileError: ``out`` exists and is not resumed, or holds something else than runs of this campaign.
    """
    found = {} if out is None else _taken_up(out, what, resume)
    left = [seed for seed in seeds if seed not in found]
    for run in _runs(what, left, jobs):
        found[run.seed] = run
        if out is not None:
            with out.open("a", encoding="utf-8") as file:
                file.write(run.model_dump_json() + "\n")
        _tell(sum(seed in found for seed in seeds), len(seeds), run)
    recipe = what.recipe.recipe
    return summary([found[seed] for seed in seeds], f"{recipe.id} rev {recipe.revision}", recipe.endpoint, what.load)


def _runs(what: Campaign, seeds: Sequence[int], jobs: int) -> Iterator[Run]:
    """Yield the runs as they end."""
    if jobs == 1:
        yield from (one.run(what, seed) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            for ended in as_completed([pool.submit(one.run, what, seed) for seed in seeds]):
                yield ended.result()
        finally:
            pool.shutdown(cancel_futures=True)  # the first mistake ends the campaign, not its last run


def _taken_up(out: Path, what: Campaign, resume: bool) -> dict[int, Run]:
    """Return the runs that ``out`` holds, by seed; a last line that was not finished is cut off."""
    if not out.exists():
        out.touch()
        return {}
    if not resume:
        raise FileError(str(out), [Problem("--out", str(out), "must be a new file, or --resume goes on with it")])
    text = out.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        out.write_text(whole, encoding="utf-8")
    runs = [_read(out, number, line, what) for number, line in enumerate(whole.splitlines(), start=1)]
    return {run.seed: run for run in runs}


def _read(out: Path, number: int, line: str, what: Campaign) -> Run:
    """Return the run in a line. Raises FileError when it is none, or one of another campaign."""
    try:
        run = Run.model_validate_json(line)
    except ValidationError as error:
        raise FileError(f"{out}, line {number}", problems_of(error, tuple(Run.model_fields))) from error
    wanted = {
        "recipe_sha256": what.recipe.sha256, "load_sha256": what.load_sha256, "code_sha256": what.code_sha256, "scan_s": what.scan_s,
        "fault": what.fault, "world": what.world,
    }  # fmt: skip
    other = [
        Problem(key, getattr(run, key), f"must be {value!r}, as this campaign's")
        for key, value in wanted.items()
        if getattr(run, key) != value
    ]
    if other:
        raise FileError(f"{out}, line {number}", other)
    return run


def _tell(count: int, total: int, run: Run) -> None:
    unsafe = ", ".join(str(found["code"]) for found in run.unsafe) or "safe"
    struck = f", {run.struck.name}" if run.struck is not None else ""
    sys.stderr.write(
        f"{count}/{total} seed {run.seed}: {run.unit_state} after {run.batch_s / 3600:.2f} h{struck}, {unsafe}, {run.wall_s:.1f} s\n"
    )
    sys.stderr.flush()
