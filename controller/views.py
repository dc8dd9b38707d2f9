"""What the scan shows of the running batch: to the interlocks, to the phase that runs, to the PLC."""

from functools import lru_cache
from typing import Final

from controller.control.outputs import Identity
from controller.image import Atmosphere, Estimate, Inputs, Mode, PhaseView, Process
from controller.interlocks.atmosphere import Proof, accounted
from controller.interlocks.evaluate import Verdict
from controller.memory import Memory, Settings
from controller.recipe import resting, standing
from controller.recipe.look import PhaseScan
from controller.recipe.model import ThermalPhase
from controller.recipe.phases import KIND_CODE
from controller.recipe.soaking import UNFORESEEN_S
from controller.recipe.standing import UnitMemory
from controller.recipe.states import FINAL, UnitState

WASHED_SHARE: Final = 1.1  # of the volumes that I19 asks for: the PLC counts them too, and what it has not counted keeps the door locked

# Through its class a member costs 0.1 us (Python 3.11), and these are looked at in every scan.
_VACUUM: Final = Atmosphere.VACUUM
_AIR: Final = (Atmosphere.OFF, Atmosphere.VENT, Atmosphere.SWEEP, Atmosphere.AIR)
_LIVE: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD})
_MODES: Final = {
    UnitState.IDLE: Mode.OFF,
    UnitState.RUNNING: Mode.RUN,
    UnitState.HOLDING: Mode.HOLD,
    UnitState.HELD: Mode.HOLD,
    UnitState.RESTARTING: Mode.RUN,
    UnitState.STOPPING: Mode.COOL,
    UnitState.STOPPED: Mode.COOL,
    UnitState.ABORTING: Mode.ABORT,
    UnitState.ABORTED: Mode.ABORT,
    UnitState.COMPLETE: Mode.OFF,
}


def phase_view(unit: UnitMemory) -> PhaseView:
    """Return what the interlocks may know of the running phase; outside a batch there is none."""
    phase, batch = standing.current(unit), unit.batch
    sweeps = unit.setpoints.atmosphere is Atmosphere.SWEEP
    if batch is None:
        return PhaseView(sweeps=sweeps)
    live = unit.state in _LIVE
    hot = live and isinstance(phase, ThermalPhase) and unit.phase.stage > 0
    cooling = hot and phase.kind == "COOL"  # type: ignore[union-attr]
    end = batch.recipe.endpoint
    return PhaseView(
        running=unit.state not in FINAL,
        heating=hot and not cooling,
        solvent=True,
        vacuum=hot
        and phase.atmosphere == "VACUUM"  # type: ignore[union-attr]
        and (unit.setpoints.atmosphere is _VACUUM or unit.phase.isolated_s > 0),
        inert=hot and phase.atmosphere == "N2_FLOW",  # type: ignore[union-attr]
        heated=unit.was_heated,
        air=unit.setpoints.atmosphere in _AIR,
        timeout=unit.timeout,
        failed=unit.failed,
        temp_sp_c=unit.setpoints.temp_c,
        o2_limit_ppm=end.max_o2_ppm,
        hold_on_o2=end.on_o2 == "HOLD",
        band=unit.phase.band,
        leak_grows=unit.leak_grows,
        leak_mbar_min=unit.rises.leak_mbar_min,
        blind_rises=0 if unit.rises.runs else unit.rises.blind,
        began_s=batch.started_at_s,
        cooling=cooling,
        sweeps=sweeps,
        unforeseen=unit.phase.blind_s >= UNFORESEEN_S,
    )


def phase_scan(settings: Settings, memory: Memory, verdict: Verdict, inputs: Inputs, process: Process, estimate: Estimate) -> PhaseScan:
    """Return what the running phase may look at."""
    oven, unit, proof = settings.equipment, memory.unit, memory.proof
    batch = unit.batch
    return PhaseScan(
        inputs, process, estimate, None if batch is None else batch.recipe.endpoint, inputs.dt_s, unit.temp_sp_c, "I18" in verdict.active,
        oven.chamber_m3, oven.max_n2_flow_nm3_h, proof.proven, "" if batch is None else batch.recipe.material.solvent, oven.solvent_kg_h,
        settings.limits.lel_hold_pct,
        settings.limits.load_substitute, settings.proving, oven.max_rate_c_per_min, () if batch is None else batch.load.roll_ids,
        _aired(settings, process, proof), proof.drawn, memory.n2_gone, proof.leak_ok, "I19N" not in verdict.active,
        memory.control.gas.vented,
        proof.washed(WASHED_SHARE * settings.limits.proof_volumes),
    )  # fmt: skip


def _aired(settings: Settings, process: Process, proof: Proof) -> str:
    """Return why the chamber's last rise was air as the proof of the atmosphere counts it (I5), "" when it was N2."""
    pressure = process.pressure_mbar
    if pressure is None or pressure < settings.limits.cycle_high_mbar:
        return ""
    if accounted(proof, settings.equipment.chamber_m3, process, pressure):
        return ""
    return f"FT-402 shows {proof.fed_nm3:.2f} Nm3 of N2 for a rise from {proof.low_mbar or 0.0:.0f} to {pressure:.0f} mbar: air came in"


def identity(memory: Memory, verdict: Verdict) -> Identity:
    """Return what the command block says of mode, batch, recipe and phase."""
    unit = memory.unit
    batch, phase = unit.batch, standing.current(unit)
    return Identity(
        mode=Mode.COOL if unit.state is UnitState.COMPLETE and not resting.at_rest(unit) else _MODES[unit.state],
        purge_permission=memory.proof.proven and verdict.heat,
        reset=memory.reset_s > 0.0,
        batch_id=0 if batch is None else batch.id,
        recipe_crc=0 if batch is None else _recipe_crc(batch.recipe_sha256),
        phase_index=unit.phase_index,
        phase_kind=0 if phase is None else KIND_CODE[phase.kind],
        soak_s=unit.phase.counted_s if phase is not None and phase.kind in ("SOAK", "CURE") else 0.0,
    )


@lru_cache(maxsize=16)
def _recipe_crc(recipe_sha256: str) -> int:
    """Return the first 32 bits of the hash, which name the recipe to the PLC; 0 means no recipe."""
    return int(recipe_sha256[:8], 16) or 1
