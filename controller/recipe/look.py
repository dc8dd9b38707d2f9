"""What a phase remembers, what it may look at and what it answers."""

from typing import Final, NamedTuple

from controller.image import Atmosphere, Estimate, Inputs, Process, Setpoints
from controller.recipe.model import Endpoint
from controller.recipe.proving import Proving
from controller.units import AIR_O2_PCT

FAST_MBAR: Final = 900.0  # up to it N2 comes in as it is wanted, and then slowly
SLOW_FLOW_SHARE: Final = 0.1  # of the N2 controller's full scale [assume]


class PhaseMemory(NamedTuple):
    """What a phase remembers; it starts anew with every phase."""

    elapsed_s: float = 0.0
    stage: int = 0
    stage_s: float = 0.0
    counted_s: float = 0.0  # soak time in band
    cycles: int = 0
    volumes: float = 0.0
    mark: float = 0.0  # pressure at the start of a leak test's rise, mbar
    sure_s: float = 0.0  # how long the model has been sure enough of the product
    passed_s: float = 0.0  # how long a position has been above the window
    blind_s: float = 0.0  # how long in one go a cure has had no valid estimate
    gauge: str = ""  # signal whose reading is the mark: a leak test begins and ends on one gauge
    since_s: float = 0.0  # time since the last pressure-rise test
    isolated_s: float = 0.0  # how long the chamber has been isolated; 0 while it is not
    reopened: bool = False  # the pressure still comes down from an isolation
    guarded: bool = False  # the blister guard acts
    guard_mbar: float = 0.0  # pressure set point the guard has raised, 0 while it has not
    begun: bool = False  # what the phase does once at its start is done
    rate_c_per_min: float = 0.0  # of a ramp by time, found at its start
    held_s: float = 0.0  # how long in one go the oven has kept the phase waiting
    left_pct: float = AIR_O2_PCT  # O2 that a cycle purge has left by calculation
    band: str = ""  # the alarm band that the temperature has left
    asked: str = ""  # what a person is asked
    answer: str | None = None  # what the person said
    unseen: bool = False  # N2 came in while its meter gave no reading
    witness_mbar: float | None = None  # the other gauge's reading at the start of a leak test's rise
    moved: bool = False  # the gauge of a leak test has shown another digit since


NO_MEMORY: Final = PhaseMemory()
FILLED_MBAR: Final = 950.0  # to which N2 fills a chamber whose vacuum was lost or not drawn yet; from 900 on the O2 reading counts


class PhaseScan(NamedTuple):
    """What a phase may look at."""

    inputs: Inputs
    process: Process
    estimate: Estimate
    endpoint: Endpoint | None  # of the recipe that runs
    dt_s: float
    temp_sp_c: float  # where the ramp generator stands
    slow: bool  # the guard asks the ramp to wait (I18)
    chamber_m3: float
    max_n2_flow_nm3_h: float
    proven: bool = False  # the atmosphere is proven (I5)
    solvent: str = ""  # of the recipe that runs
    solvent_kg_h: float = 0.0  # what condenser and pump take; 0: not guarded
    lel_hold_pct: float = 0.0  # of the exhaust's vapour, where the batch is held (I16); 0: not guarded
    load_substitute: bool = False  # the estimate may stand in for a lost load thermocouple
    proving: Proving = Proving()
    max_rate_c_per_min: float = 5.0  # of the equipment
    roll_ids: tuple[str, ...] = ()  # of the load record
    aired: str = ""  # why the last rise was air as far as the proof of the atmosphere knows (I5), "" when it was N2
    drawn: bool = False  # a vacuum stands, or did until N2 or air came (I6)
    n2_gone: bool = False  # the header has no pressure: nothing can be filled
    leak_ok: bool = True  # the leak test still counts
    breathable: bool = True  # there is air behind the door (I19N)
    vented: bool = False  # the vent has stood open: chamber and hall are one
    washed: bool = True  # N2 has carried the vapour out since the last heat (I19)


class Step(NamedTuple):
    """What a phase did: its next memory, what it wants, whether it is done, what it waits for, which rule it failed."""

    memory: PhaseMemory
    setpoints: Setpoints
    done: bool = False
    waiting: str = ""
    failed: str = ""
    why: str = ""
    leak_ok: bool | None = None
    leak_mbar_h: float | None = None  # what the leak test measured
    late: str = ""  # why the longest holdback is over
    passed: str = ""  # why the endpoint can be met no more


def gas_only(atmosphere: Atmosphere, pressure_mbar: float = 0.0, n2_flow_nm3_h: float = 0.0) -> Setpoints:
    """Return set points without heat."""
    return Setpoints(False, 0.0, 0.0, atmosphere, pressure_mbar, n2_flow_nm3_h)


def filling(pressure_mbar: float, now_mbar: float, n2_flow_nm3_h: float, scan: PhaseScan) -> Setpoints:
    """Return the set points that fill a chamber which is opened then: what comes in while the valve shuts must not keep it shut (I19)."""
    slow_nm3_h = SLOW_FLOW_SHARE * scan.max_n2_flow_nm3_h
    flow_nm3_h = n2_flow_nm3_h if now_mbar < FAST_MBAR else min(n2_flow_nm3_h, slow_nm3_h)
    return gas_only(Atmosphere.BACKFILL, pressure_mbar, flow_nm3_h)
