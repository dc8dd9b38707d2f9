"""The job orders that were stored: a small file of the gateway's. What becomes of an order that runs is read from the journal."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from controller.clock import wall_ns
from controller.equipment import Strict
from controller.northbound.opcua.mapping import FINAL_JOBS, MAPPING
from controller.northbound.opcua.port import Waiting
from controller.recipe.states import UnitState

MOST_JOBS: Final = 50
_Plain = str | float | int | bool | list[str] | list[float]


class Job(Strict):
    """One job order. ``batch`` is the number of its batch once it runs; times are wall times, ns, 0 while there are none."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    recipe: Annotated[str, Field(max_length=64)]
    revision: int
    parameters: dict[str, _Plain]
    description: Annotated[str, Field(max_length=400)] = ""
    state: Literal["NotAllowedToStart", "AllowedToStart", "Running", "Interrupted", "Ended", "Aborted"] = "NotAllowedToStart"
    batch: str = ""
    begins_ns: int = 0  # the order's own StartTime
    armed_seq: int = 0  # entry of the journal with which the core took it to be started at that time
    armed_batch: str = ""  # number of the newest batch then
    started_ns: int = 0
    ended_ns: int = 0
    said: str = ""


_FILE: Final = TypeAdapter(list[Job])


class JobOrders:
    """The orders by their id, the oldest first. Not more than 50; an ended one gives way to a new one."""

    def __init__(self, path: Path) -> None:
        """Read the file; one that is damaged counts as empty, and the next change writes it anew."""
        self._path = path
        self.jobs: dict[str, Job] = {}
        self.batch = ""  # number of the newest batch of the journal
        with suppress(OSError, ValidationError):
            self.jobs = {job.id: job for job in _FILE.validate_json(path.read_bytes())}

    def put(self, job: Job) -> bool:
        """Keep ``job``; False when there is no room."""
        if job.id not in self.jobs and len(self.jobs) >= MOST_JOBS:
            over = next((name for name, one in self.jobs.items() if one.state in FINAL_JOBS), None)
            if over is None:
                return False
            del self.jobs[over]
        self.jobs[job.id] = job
        self._save()
        return True

    def remove(self, name: str) -> None:
        """Forget an order."""
        del self.jobs[name]
        self._save()

    def told(self, latest: Mapping[str, Mapping[str, Any]], state: UnitState | None, waiting: Waiting | None = None) -> bool:
        """Bring the orders up to date with the journal's news and the unit's state; return whether something changed."""
        batch = latest.get("batch_start", {}).get("batch_id")
        self.batch = str(batch) if batch is not None else self.batch
        end = latest.get("batch_end", {})
        changed = self._waited(waiting)
        for job in [one for one in self.jobs.values() if one.batch and one.state not in FINAL_JOBS]:
            if str(end.get("batch_id", "")) == job.batch:
                after = "Ended" if end.get("result") in ("COMPLETE", "STOPPED") else "Aborted"
            elif job.batch == self.batch and state is not None and MAPPING[state].job:
                after = MAPPING[state].job
            else:
                continue
            if after != job.state:
                ended_ns = wall_ns() if after in FINAL_JOBS else 0
                self.jobs[job.id] = job.model_copy(update={"state": after, "ended_ns": ended_ns})
                changed = True
        if changed:
            self._save()
        return changed

    def _waited(self, waiting: Waiting | None) -> bool:
        """Look after the order that is allowed to start: its batch has begun, or the core has let go of it."""
        for job in [one for one in self.jobs.values() if one.state == "AllowedToStart"]:
            if int(self.batch or 0) > int(job.armed_batch or 0):  # no other start is possible beside it
                update: dict[str, Any] = {"state": "Running", "batch": self.batch, "started_ns": wall_ns()}
            elif waiting is not None and not waiting.armed and waiting.seq > job.armed_seq:
                update = {"state": "NotAllowedToStart", "said": waiting.why[:400]}
            else:
                continue
            self.jobs[job.id] = job.model_copy(update=update)
            self._save()
            return True
        return False

    def runs(self, job: Job) -> bool:
        """Return whether the order's batch is the one in the oven; one that was just started may be ahead of the journal's news."""
        return job.batch.isdecimal() and job.state not in FINAL_JOBS and int(job.batch) >= int(self.batch or 0)

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps([job.model_dump() for job in self.jobs.values()]), "utf-8")
        os.replace(fresh, self._path)
