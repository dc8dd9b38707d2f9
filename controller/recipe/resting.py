"""The unit outside its recipe: stopping, aborted, ended.

Safe states are not "all off": a hot chamber with solvent vapour needs inerting, exhaust and circulation, so every state that may follow
heat keeps them (see ``_safe``).
"""

from typing import Final

from controller.block import STOPPED, PlcState
from controller.image import Atmosphere, Inputs, Setpoints, stands_open
from controller.recipe.look import PhaseScan, filling, gas_only
from controller.recipe.standing import NOTHING, Note, UnitMemory, moved
from controller.recipe.states import Trigger, UnitState
from controller.units import ATMOSPHERE_MBAR

SAFE_MBAR: Final = (993.0, 1008.0)  # a chamber at rest in N2: filled below the first, up to the second, so that no air leaks in
KEPT_MBAR: Final = 50.0  # vacuum that is kept while only the Pirani gauge shows it: half of its range
COLD_C: Final = 60.0  # below it a load needs no N2 any more
COLD_BAND_C: Final = 2.0
INERT_FLOW_SHARE: Final = 0.1  # of the N2 controller's full scale, while an ended unit is kept inert
COOL_FLOW_SHARE: Final = 0.5  # of the N2 controller's full scale, while cooling in a safe state
_OPENED: Final = (Atmosphere.AIR, Atmosphere.SWEEP)
_AT_REST: Final = (Atmosphere.OFF, *_OPENED)


def step(memory: UnitMemory, scan: PhaseScan) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Return the unit that rests, stops or has ended after this scan, what it waits for, and notes for the journal."""
    state = memory.state
    if state is UnitState.IDLE:
        wanted = _opened(scan)
        return memory._replace(setpoints=wanted._replace(door_release=True)), _idle_waiting(scan), ()
    if state is UnitState.COMPLETE:
        memory = _complete(memory, scan)
        return memory, _locked(scan) if at_rest(memory) else _safe_waiting(memory, scan), ()
    setpoints = _safe(memory, scan)
    memory = memory._replace(setpoints=setpoints)
    if state is UnitState.STOPPING and setpoints.atmosphere is Atmosphere.OFF:
        return moved(memory, Trigger.DONE, "cold and inert")
    if state is UnitState.ABORTING and scan.inputs.main_contactor.value is False:
        return moved(memory, Trigger.DONE, "heat contactor open")
    return memory, _safe_waiting(memory, scan), ()


def _safe(memory: UnitMemory, scan: PhaseScan) -> Setpoints:
    """Return the set points of a unit that is stopping, has ended or was aborted: no heat, inert until cold and washed, then all off.

    What has been heated, be it for a minute, is washed with N2 before it is left: neither we nor the PLC open a door on vapour (I19).
    A chamber whose capacitance gauge is lost keeps what it has. A N2 flow goes on while its way out is seen open. A vacuum is kept until
    the gauge is back, cold too: filling on the Pirani gauge alone would end unseen and shut above 100 mbar. Without N2 it is kept too:
    what the film still gives off leaves, and no valve opens to an empty header.
    """
    hottest, pressure = scan.process.hottest_c, scan.process.pressure_mbar
    low, full = SAFE_MBAR
    rests = _rests(memory) and (hottest is None or hottest < COLD_C + COLD_BAND_C)  # it stays so, also unseen, and with its door open
    cooled = not memory.was_heated or rests or (hottest is not None and hottest < COLD_C)
    if rests and memory.setpoints.atmosphere in _OPENED:
        return NOTHING  # no N2 comes in where air was let in
    if cooled and stands_open(scan.inputs):
        return NOTHING  # nothing can be washed there, whatever the weather makes of the pressure
    cold = cooled and (rests or scan.washed or not memory.was_heated)
    if pressure is None:
        flows = memory.setpoints.atmosphere is Atmosphere.N2_FLOW and scan.inputs.exhaust_valve_open.value is True
        if rests:
            return NOTHING
        if not flows:
            return gas_only(Atmosphere.HOLD_CLOSED)
    elif scan.process.pirani_alone or (scan.n2_gone and memory.setpoints.atmosphere is Atmosphere.VACUUM):
        return gas_only(Atmosphere.VACUUM, KEPT_MBAR)
    elif pressure < low or (memory.setpoints.atmosphere is Atmosphere.BACKFILL and pressure < full):  # break the vacuum, with N2 only
        return filling(full, pressure, scan.max_n2_flow_nm3_h, scan)
    if cold:
        return NOTHING
    return gas_only(Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, COOL_FLOW_SHARE * scan.max_n2_flow_nm3_h)


def _rests(memory: UnitMemory) -> bool:
    """Return whether the unit has come to rest; END has everything off before it has looked at anything."""
    at = memory.setpoints
    return at.atmosphere in _AT_REST and (memory.state is not UnitState.COMPLETE or at.door_release)


def _complete(memory: UnitMemory, scan: PhaseScan) -> UnitMemory:
    """Return the unit that has ended as its recipe says: cooled with gas and off, kept inert, or off at once with the vacuum kept."""
    end = None if memory.batch is None else memory.batch.recipe.phase[-1]
    action, safe, hottest = getattr(end, "action", "COOL_GAS"), _safe(memory, scan), scan.process.hottest_c
    if action == "OFF" and (not memory.was_heated or (scan.washed and hottest is not None and hottest < COLD_C)):
        return memory._replace(setpoints=NOTHING)
    if action == "INERT" and safe.atmosphere is Atmosphere.OFF:
        kept = gas_only(Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, INERT_FLOW_SHARE * scan.max_n2_flow_nm3_h)
        return memory._replace(setpoints=kept, kept_inert=True)
    if safe.atmosphere is not Atmosphere.OFF:
        return memory._replace(setpoints=safe)
    if scan.breathable:  # a chamber that cools draws air, and no vacuum locks the door
        safe = _opened(scan)
    return memory._replace(setpoints=safe._replace(door_release=True))


def at_rest(memory: UnitMemory) -> bool:
    """Return whether an ended unit may go to IDLE: cold, inert or aired, and off unless the recipe's end keeps it inert."""
    return memory.setpoints.atmosphere in _AT_REST or memory.kept_inert


def _uncounted(scan: PhaseScan) -> str:
    """Return what keeps a wash from being counted."""
    if scan.inputs.n2_flow_nm3_h.value is None:
        return ": FT-402 gives no reading"
    return "" if scan.inputs.exhaust_valve_open.value is True else ": the exhaust valve is not seen open"


def _safe_waiting(memory: UnitMemory, scan: PhaseScan) -> str:
    hottest = scan.process.hottest_c
    if memory.setpoints.atmosphere is Atmosphere.VACUUM:
        return f"{'N2' if scan.n2_gone else 'the capacitance gauge'}: vacuum is kept until it is back"
    if not at_rest(memory):
        if hottest is not None and hottest < COLD_C and not scan.washed:
            return f"washing the vapour out with N2 (I19){_uncounted(scan)}"
        return f"cooling in N2, hottest {'unknown' if hottest is None else f'{hottest:.0f} degC'}"
    return _locked(scan) or "RESET"


def unbreathable(scan: PhaseScan) -> str:
    """Return what is known of the gas behind a door that stays locked for it."""
    o2_pct = scan.process.o2_pct
    return "no valid O2 reading" if o2_pct is None else f"{o2_pct:.1f} vol% O2 behind the door"


def _locked(scan: PhaseScan) -> str:
    return "" if scan.breathable else f"RESET, which draws air through: {unbreathable(scan)}, it stays locked (I19N)"


def _opened(scan: PhaseScan) -> Setpoints:
    """Return the set points of an oven with its vent open; without an O2 reading what says that one can breathe must not grow old."""
    airs = scan.breathable and scan.process.o2_pct is not None
    return gas_only(Atmosphere.AIR if airs else Atmosphere.SWEEP, ATMOSPHERE_MBAR)


def _idle_waiting(scan: PhaseScan) -> str:
    return "" if scan.breathable else f"{unbreathable(scan)}: {_swept_how(scan.inputs)} (I19N)"


def _swept_how(inputs: Inputs) -> str:
    """Return how the sweep is getting on, or what keeps it from being one."""
    state = inputs.plc_state.value
    if state in STOPPED:
        return f"the PLC is {PlcState(int(state)).name} and opens no vent: find out why, then RESET"
    if inputs.vent_valve_open.value is not True:
        return "waits for the air vent to open, which the PLC or I19 keeps shut"
    if inputs.exhaust_run.value is not True:
        return "no air is drawn through, the exhaust's fan does not run"
    if inputs.exhaust_valve_open.value is not True:
        return "waits for the exhaust valve to open"
    return "air is drawn through before it is released"
