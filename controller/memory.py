"""What a scan works with besides its inputs: the site's settings, and what it remembers of the scans before."""

from functools import cached_property
from typing import NamedTuple

from controller.alarms.states import AlarmMemory, AlarmSettings
from controller.control.actuation import Actuation
from controller.control.outputs import ControlMemory, Tunings
from controller.equipment import Equipment, Strict
from controller.estimator import EstimatorMemory, EstimatorSettings
from controller.image import OFF, Outputs
from controller.interlocks.atmosphere import Proof
from controller.interlocks.bypass import BypassSettings
from controller.interlocks.evaluate import InterlockMemory
from controller.interlocks.limits import Limits
from controller.interlocks.sensors import Believed
from controller.prooftest.model import ProofTest, ProofTestSettings
from controller.recipe.approval import Approval, ApprovalSettings, Verified
from controller.recipe.model import LoadRecord, Recipe
from controller.recipe.proving import Proving
from controller.recipe.standing import UnitMemory


class Settings(Strict):
    """What a site configures: nothing here changes while the core runs."""

    equipment: Equipment = Equipment()
    limits: Limits = Limits()
    tunings: Tunings = Tunings()
    estimator: EstimatorSettings = EstimatorSettings()
    bypass: BypassSettings = BypassSettings()
    alarms: AlarmSettings = AlarmSettings()
    proof_test: ProofTestSettings = ProofTestSettings()
    approval: ApprovalSettings = ApprovalSettings()

    @cached_property
    def proving(self) -> Proving:
        """Return what the interlocks take for a proven atmosphere, for recipes to be checked against and restarts to be made by."""
        at = self.limits
        return Proving(at.cycle_low_mbar, at.cycle_high_mbar, at.proof_cycles, at.proof_mbar, at.proof_volumes, at.proof_o2_pct,
                       at.o2_analyser_from_mbar)  # fmt: skip


class Delayed(NamedTuple):
    """A START that waits for its time: what it brings, who asked, and when it begins, process time."""

    at_s: float
    command_id: str
    user: str
    recipe: Recipe
    recipe_sha256: str
    recipe_text: str
    load: LoadRecord
    approval: Approval | None = None
    verified: Verified | None = None


class Memory(NamedTuple):
    """Everything the next scan needs from this one. A restart goes on from it."""

    unit: UnitMemory = UnitMemory()
    interlocks: InterlockMemory = InterlockMemory()
    proof: Proof = Proof()
    estimator: EstimatorMemory | None = None
    control: ControlMemory = ControlMemory()
    actuation: Actuation = Actuation()
    outputs: Outputs = OFF
    reset_s: float = 0.0  # what is left of the reset pulse to the PLC
    armed: bool = False  # the PLC has had its reset with a purge permission since the operator's START or RESTART
    last_batch_id: int = 0
    last_row: int = 0  # of the mailbox
    answered: tuple[str, ...] = ()
    sensors: Believed = Believed()  # new fields stand at the end: a checkpoint holds them by place
    boot_id: int = 0  # of the PLC, as last seen
    delayed: Delayed | None = None  # a START whose time has not come
    alarms: AlarmMemory = AlarmMemory()
    proof_test: ProofTest = ProofTest()
    started: tuple[tuple[str, int], ...] = ()  # newest revision of each approved recipe that was started here
    retired: tuple[tuple[str, int], ...] = ()  # revisions that may not be started any more
    n2_gone: bool = False  # the N2 header has no pressure, and has not had enough since
    most_c: float | None = None  # what no layer of the load has exceeded, as far as it was watched; None: nobody has looked yet
