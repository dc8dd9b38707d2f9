"""The running recipe verified beside the scan: at the start of a batch, at each phase, after an edit and after a restart of the core."""

import asyncio
from typing import Final, NamedTuple

from controller.memory import Memory
from controller.recipe import verifying
from controller.recipe.approval import ApprovalSettings
from controller.recipe.standing import Batch

VERIFY_POLL_S: Final = 0.1  # wall


class _Seen(NamedTuple):
    batch: int
    phase: int
    recipe_sha256: str


class Verifier:
    """Says whether the unit's recipe is the approved one; the scan gets the answer as the signal ``recipe_ok`` (I34)."""

    def __init__(self, settings: ApprovalSettings) -> None:
        """Start with nothing to object to: no batch."""
        self._settings = settings
        self._seen: _Seen | None = None
        self.why = ""

    def due(self, memory: Memory) -> bool:
        """Return whether another batch, phase or control recipe runs than was last verified."""
        return _seen(memory) != self._seen

    async def look(self, memory: Memory) -> bool:
        """Verify the recipe in ``memory`` on a thread; return whether the answer has changed."""
        before, batch = self.why, memory.unit.batch
        why = "" if batch is None else await asyncio.to_thread(self._objection, batch)
        self._seen, self.why = _seen(memory), why
        return why != before

    def _objection(self, batch: Batch) -> str:
        return verifying.objection(self._settings, batch)


def _seen(memory: Memory) -> _Seen | None:
    batch = memory.unit.batch
    return None if batch is None else _Seen(batch.id, memory.unit.phase_index, batch.recipe_sha256)
