"""Looking at a virtual batch from outside while it runs: its forecasts and product, and the cure that never ends.

Each ``look`` is called before a scan and sees what the scan before left.
"""

import copy
from math import inf
from typing import Final

from controller.image import Estimate, Inputs
from controller.recipe.model import Cure, Endpoint
from controller.recipe.soaking import FALLBACK_AFTER_S, ripe
from controller.recipe.states import UnitState
from controller.solvents import SOLVENTS, Solvent
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, R_J_PER_MOL_K, kelvin
from sim.bench import Rig
from sim.campaign.bound import unforeseeable
from sim.campaign.outcome import Believed, CureEnd, Drying, Foreseen, Gelling, Product, Trace, Triple, believed, rounded, triple
from sim.plant.history import PLACES
from sim.plant.plant import Truth

EVERY_S: Final = 60.0  # between two moments of a trace
ENOUGH: Final = 2.0  # a fixed time, which suits the slowest of the lots, lies before that for the quickest
SHARES: Final = (0.25, 0.5, 0.75)  # of the batch, at which its forecasts are judged
MARKS: Final = (0.05, 0.02, 0.01, 0.005, 0.002)  # residual solvent of the worst position at which the belief on the way is judged
GELLED: Final = (0.1, 0.3, 0.5, 0.7)  # insoluble content of the roll's mean at which it is judged
GELLED_EVERY_S: Final = 30.0  # the estimator's period: between two looks at the truth, which nothing shows without reckoning
FAINT_LEL_PCT: Final = 1.0  # a reading below is the analyser's noise and counts as nothing [assume]
_DUCT_C: Final = 25.0


def started_s(rig: Rig) -> float:
    """Return when the batch of ``rig`` started, in its process time."""
    batch = rig.memory.unit.batch
    return rig.at_s if batch is None else batch.started_at_s


class Watch:
    """Follows a batch to the end of its CURE, looks at its drying and gelling on the way and gathers its forecasts."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._forecasts: dict[float, Triple] = {}
        self._began_s: float | None = None
        self.cure_end: CureEnd | None = None
        self._gelled_at_s = 0.0
        self.drying: list[Drying] = []
        self.gelling: list[Gelling] = []

    def look(self, rig: Rig) -> None:
        """Look at what the last scan left."""
        record = rig.record
        if record is None:
            return
        forecast = record.estimate.forecast
        start_s = started_s(rig)
        if forecast is not None and forecast.made_at_s - start_s not in self._forecasts:
            made_s = forecast.made_at_s - start_s
            self._forecasts[made_s] = (made_s + forecast.finish_s.value, made_s + forecast.finish_s.low, made_s + forecast.finish_s.high)
        self._dry(rig, record.inputs.at_s - start_s)
        self._gel(rig, record.inputs.at_s - start_s)
        if record.phase_kind == "CURE" and self._began_s is None:
            self._began_s = record.inputs.at_s
        if self._began_s is not None and self.cure_end is None and record.phase_kind != "CURE":
            self.cure_end = _cure_end(rig, record.inputs.at_s - start_s, record.inputs.at_s - self._began_s)

    def _dry(self, rig: Rig, at_s: float) -> None:
        """Note what is believed when the wettest film falls below a mark."""
        record, chemistry = rig.record, rig.plc.plant.chemistry
        if record is None or chemistry is None or len(self.drying) == len(MARKS):
            return
        mark = MARKS[len(self.drying)]
        if chemistry.wettest < mark / (1 - mark):
            estimate, truth = record.estimate, rig.plc.plant.truth().residual_solvent_worst
            self.drying.append(
                Drying(mark=mark, at_s=rounded(at_s), valid=estimate.valid, residual=believed(estimate.residual_solvent, truth))
            )

    def _gel(self, rig: Rig, at_s: float) -> None:
        """Note what is believed when the roll's mean has passed a mark; nothing is insoluble before some film is at its gel point."""
        record, chemistry = rig.record, rig.plc.plant.chemistry
        if record is None or chemistry is None or len(self.gelling) == len(GELLED) or at_s < self._gelled_at_s + GELLED_EVERY_S:
            return
        self._gelled_at_s = at_s
        mark = GELLED[len(self.gelling)]
        if chemistry.deltas.max() > 1.0 and (truth := rig.plc.plant.truth()).insoluble_mean >= mark:
            self.gelling.append(
                Gelling(
                    mark=mark,
                    at_s=rounded(at_s),
                    valid=record.estimate.valid,
                    insoluble=believed(record.estimate.insoluble, truth.insoluble_mean),
                    insoluble_at=_insoluble_at(record.estimate, truth),
                )
            )

    def product(self, rig: Rig) -> Product | None:
        """Return the cold roll beside what was believed of it when its CURE ended, None when it had none."""
        if self.cure_end is None:
            return None
        truth, coming = rig.plc.plant.truth(), self.cure_end.coming
        value, low, high = (rounded(min(1.0, point + coming)) for point in self.cure_end.insoluble.estimate)
        return Product(
            insoluble=Believed(estimate=(value, low, high), truth=rounded(truth.insoluble_mean)),
            insoluble_min=rounded(truth.insoluble_min),
            insoluble_max=rounded(truth.insoluble_max),
        )

    @property
    def cured(self) -> bool:
        """Return whether the batch came to its CURE."""
        return self._began_s is not None

    def foreseen(self, batch_s: float) -> list[Foreseen]:
        """Return the last forecast before each of ``SHARES`` of a batch that took ``batch_s``; none where there was none."""
        found = []
        for share in SHARES:
            made_s = max((at_s for at_s in self._forecasts if at_s <= share * batch_s), default=None)
            if made_s is not None:
                end_s = self._forecasts[made_s]
                found.append(Foreseen(share=share, made_s=made_s, end_s=end_s, error_s=end_s[0] - batch_s))
        return found


def _cure_end(rig: Rig, at_s: float, cure_s: float) -> CureEnd:
    record, truth = rig.record, rig.plc.plant.truth()
    assert record is not None
    estimate = record.estimate
    why = next(str(said["why"]) for _, kind, said in reversed(rig.notes) if kind == "decision" and said["what"] == "CURE ended")
    return CureEnd(
        at_s=at_s,
        cure_s=cure_s,
        why=why,
        valid=estimate.valid,
        residual=believed(estimate.residual_solvent, truth.residual_solvent_worst),
        insoluble=believed(estimate.insoluble, truth.insoluble_mean),
        coming=rounded(estimate.coming),
        insoluble_min=rounded(truth.insoluble_min),
        insoluble_max=rounded(truth.insoluble_max),
        unforeseeable=rounded(unforeseeable(rig.plc.plant)),
        residual_at={zone.name: believed(zone.residual_solvent, truth.residuals[PLACES[zone.name]]) for zone in estimate.zones},
        insoluble_at=_insoluble_at(estimate, truth),
    )


def _insoluble_at(estimate: Estimate, truth: Truth) -> dict[str, Believed]:
    """Return belief and truth of the insoluble content by position."""
    return {zone.name: believed(zone.insoluble, truth.insolubles[PLACES[zone.name]]) for zone in estimate.zones}


class Tracer:
    """Records a CURE, and says when there is nothing more to learn from it.

    ``cure`` and ``endpoint`` are the recipe's: its own rule is read off the phase's memory in each scan, as the phase itself does.
    The trace has ``ended`` when the unit left CURE or RUNNING; but for that not before ``least_s`` in CURE: when some film has left the
    window at its high end, after ``ENOUGH`` times what rule and truth took, or at the recipe's timeout.
    """

    def __init__(self, cure: Cure, endpoint: Endpoint, solvent: str) -> None:
        """Wait for the CURE."""
        self._cure, self._end, self._solvent = cure, endpoint, SOLVENTS[solvent]
        self.least_s = inf
        self.ended = ""  # why
        self._began_s: float | None = None
        self._start_s = 0.0
        self._due_s = 0.0
        self._exhaust_kg = 0.0
        self._empty_kg: float | None = None
        self._own_s: float | None = None
        self._ready_s: float | None = None  # when the truth was dry enough and at the aim
        self._own_why = ""
        self._rows: list[tuple[object, ...]] = []

    def fork(self) -> "Tracer":
        """Return a tracer that goes on from here by itself."""
        twin = copy.copy(self)
        twin._rows = [*self._rows]
        return twin

    def look(self, rig: Rig) -> None:
        """Look at what the last scan left."""
        record = rig.record
        if record is None or self.ended:
            return
        inputs = record.inputs
        if self._began_s is None:
            if record.phase_kind != "CURE":
                return
            self._began_s, self._start_s, self._empty_kg = inputs.at_s, started_s(rig), inputs.condensate_kg.value
        cure_s = inputs.at_s - self._began_s
        self._exhaust_kg += exhaust_kg_s(self._solvent, inputs) * inputs.dt_s
        if self._own_s is None and self._own_rule(rig):
            self._own_s = cure_s
        truth_due = cure_s >= self._due_s - 1e-6
        if truth_due:
            self._due_s += EVERY_S
            self._write(rig, cure_s)
        self.ended = self._over(rig, cure_s) if truth_due or record.unit_state is not UnitState.RUNNING else ""

    @property
    def ruled(self) -> bool:
        """Return whether the unaltered recipe's rule has been met."""
        return self._own_s is not None

    def trace(self) -> Trace | None:
        """Return what was recorded, None when no CURE began."""
        if self._began_s is None:
            return None
        columns = [list(column) for column in zip(*self._rows, strict=True)]
        names = ("cure_s", "residual", "insoluble", "insoluble_min", "insoluble_max", "believed_residual", "believed_insoluble",
                 "p_solvent_ok", "p_insoluble_in_window", "valid", "seen_kg")  # fmt: skip
        return Trace.model_validate(
            {"began_s": self._began_s - self._start_s, "own_s": self._own_s, "own_why": self._own_why, "ended": self.ended or "not ended"}
            | dict(zip(names, columns, strict=True))
        )

    def _own_rule(self, rig: Rig) -> bool:
        """Return whether the CURE of the unaltered recipe would have ended in this scan."""
        record, memory = rig.record, rig.memory.unit.phase
        assert record is not None
        if record.unit_state is not UnitState.RUNNING or record.phase_kind != "CURE":
            return False
        if memory.counted_s >= 60 * self._cure.min_min and ripe(self._end, record.estimate, memory):
            self._own_why = "endpoint"
            return True
        if memory.blind_s >= FALLBACK_AFTER_S and memory.counted_s >= 60 * self._cure.fallback_min:
            self._own_why = f"time recipe: {record.estimate.why_invalid}"
            return True
        if self._cure.on_timeout == "CONTINUE" and memory.elapsed_s >= 60 * self._cure.timeout_min:
            self._own_why = "timeout"
            return True
        return False

    def _over(self, rig: Rig, cure_s: float) -> str:
        record = rig.record
        assert record is not None
        if record.unit_state is not UnitState.RUNNING or record.phase_kind != "CURE":
            return f"{record.unit_state.name} in {record.phase_kind}"
        if cure_s < self.least_s:
            return ""
        if 100 * rig.plc.plant.truth().insoluble_max > self._end.insoluble_high_pct:
            return "left the window"
        if self._own_s is not None and self._ready_s is not None and cure_s >= ENOUGH * max(self._own_s, self._ready_s):
            return "long past rule and truth"
        return "timeout" if cure_s >= 60 * self._cure.timeout_min else ""

    def _write(self, rig: Rig, cure_s: float) -> None:
        record, truth = rig.record, rig.plc.plant.truth()
        assert record is not None
        estimate, held_kg = record.estimate, record.inputs.condensate_kg.value
        dry = 100 * truth.residual_solvent_worst <= self._end.max_residual_wt_pct
        if self._ready_s is None and dry and 100 * truth.insoluble_mean >= self._end.insoluble_aim_pct:
            self._ready_s = cure_s
        seen_kg = None if held_kg is None or self._empty_kg is None else rounded(held_kg - self._empty_kg + self._exhaust_kg)
        self._rows.append((
            cure_s, rounded(truth.residual_solvent_worst), rounded(truth.insoluble_mean), rounded(truth.insoluble_min),
            rounded(truth.insoluble_max), triple(estimate.residual_solvent), triple(estimate.insoluble), rounded(estimate.p_solvent_ok),
            rounded(estimate.p_insoluble_in_window), estimate.valid, seen_kg,
        ))  # fmt: skip


def exhaust_kg_s(solvent: Solvent, inputs: Inputs) -> float:
    """Return the solvent that the exhaust's instruments show, kg/s: LEL share times duct flow at 25 degC and 1 atm, ideal gas.

    0 below ``FAINT_LEL_PCT`` and without a reading: that is what a plant's practice makes of it.
    """
    lel_pct, flow_m3_h = inputs.exhaust_lel_pct.value, inputs.exhaust_flow_m3_h.value
    if lel_pct is None or flow_m3_h is None or lel_pct < FAINT_LEL_PCT:
        return 0.0
    mol_m3 = ATMOSPHERE_MBAR * PA_PER_MBAR / (R_J_PER_MOL_K * kelvin(_DUCT_C))
    return lel_pct / 100 * solvent.lel_pct / 100 * flow_m3_h / 3600 * mol_m3 * solvent.molar_mass_g_mol / 1e3
