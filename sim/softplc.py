"""The soft PLC: the contract of ``controller.block`` carried out on the simulated oven.

It trusts nobody: set points and rates are clamped, heat needs its own permissives, valve pairs are locked against each other, door and
vent stay shut on a warm load, and without valid blocks it goes to its local safe state (heat off, inerting kept). Its time is the ``dt_s``
of its scans.

After a start, a trip, ABORT, local operation or a watchdog stop, heat needs in this order: a rising edge of reset, then a rising edge of
heat enable in a block that also carries the purge permission. Until the reset HeatBlock.TRIP is set; HeatBlock.MODE says that heat enable
must first go low.
"""

import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from controller import block
from controller.block import Block, HeatBlock, PlcState, Reason
from controller.image import OFF, Mode, Outputs
from controller.wiring import Wiring
from sim.plant import Actuators, Plant
from sim.plc_guards import Guards, GuardSettings
from sim.plc_image import SHOWN, WORDS, encode, plan
from sim.plc_loops import Loops, LoopSettings

_LEASE, _TRIP, _MODE = int(HeatBlock.LEASE), int(HeatBlock.TRIP), int(HeatBlock.MODE)
# Through its class a member costs 0.1 us (Python 3.11), and these are looked at many times in every scan.
_OFF, _RUN, _HOLD, _COOL, _ABORT = Mode
_BOOT_SAFE, _IDLE, _FOLLOWING, _WATCHDOG_SAFE, _COOLDOWN, _TRIPPED, _LOCAL = PlcState
_OK = Reason.OK
_WORDS = struct.Struct(f"={len(WORDS)}d")
_LONGEST_STEP_S = 2.0  # of the plant
_FIRST_BOOT_ID = 0x5000_0001
_REMEMBERED_SCANS = 4096  # of which the alive counter's age is known


@dataclass(frozen=True, slots=True)
class Settings:
    """The PLC's own numbers."""

    watchdog_enabled: bool = True  # False: as field I/O that holds its outputs; the image then shows 0 s
    warn_s: float = 3.0  # ``warning`` without a valid block
    watchdog_s: float = 5.0  # T_wd
    hold_s: float = 900.0  # T_hold: from the local safe state to controlled cool-down
    stale_s: float = 3.0  # oldest image a command may be computed from
    loops: LoopSettings = field(default_factory=LoopSettings)
    guards: GuardSettings = field(default_factory=GuardSettings)


@dataclass(slots=True)
class WireFaults:
    """Faults of the PLC itself, for rehearsal."""

    mute: bool = False  # does not answer at all (the server keeps silent)
    echo_frozen: bool = False  # echo words stand still while the other data move
    image_frozen: bool = False  # the whole image stands still
    write_ignored: bool = False  # a write is acknowledged and not applied
    stopped: bool = False  # STOP mode: no program scan, field outputs off
    watchdog_dead: bool = False  # the image shows a watchdog time and nothing acts on it


class SoftPlc:
    """One PLC that drives one plant. Call ``receive`` for every block that arrives and ``scan`` once per PLC scan."""

    def __init__(self, wiring: Wiring, plant: Plant, settings: Settings | None = None, boot_id: int = _FIRST_BOOT_ID) -> None:
        """Start in BOOT_SAFE with everything off; ``boot_id`` counts up from there with every start."""
        self.wiring, self.plant, self.settings = wiring, plant, settings or Settings()
        self.actuators, self.faults = Actuators(), WireFaults()
        self.guards, self.loops = Guards(self.settings.guards), Loops(self.settings.loops)
        self.at_s = 0.0  # process time
        self.boot_id = boot_id - 1
        self.readings = plant.read(0.0)
        self.serial = wiring.file.plc_serial
        self._plan, self._numbers = plan(wiring), np.zeros(len(WORDS))
        self._registers = np.zeros(wiring.registers, np.uint16)
        self._echo = (0, 0, 0, 0)  # lease, epoch, counter and CRC of the last block accepted
        self.power_cycle()

    def power_cycle(self) -> None:
        """Lose power and come back: outputs off, epoch 0, a new boot id; trip and heat history are retentive, the purge proof is not."""
        self.boot_id += 1
        self.actuators = Actuators()
        self.guards.restart()
        self.state, self.reason = PlcState.BOOT_SAFE, Reason.OK
        self.epoch, self.counter, self.crc, self.lease = 0, 0, 0, 0
        self.block: Block | None = None  # last block accepted
        self.block_at_s = self.at_s  # when, or since when there is none
        self.taken: list[Block] = []  # blocks accepted for the last scan
        self._inbox: list[Block] = []
        self.alive = 0
        self._alive_at_s: deque[float] = deque([self.at_s], maxlen=_REMEMBERED_SCANS)
        self._safe_since_s = self.at_s
        self.rearm = True  # heat needs a reset edge ...
        self._armed = False  # ... and then a rising edge of heat enable with purge permission
        self._reset_was, self._heat_was_low = True, False
        self._wanted = self._gas = OFF  # last outputs taken, and those the gas side follows
        self.heat_block = _LEASE | _TRIP
        self._publish()

    # ---- the wire ----

    def receive(self, registers: Sequence[int]) -> Reason:
        """Take a command block as written (see ``controller.block.LAYOUT``) and return what the PLC thinks of it."""
        if self.faults.write_ignored or self.faults.stopped:
            return _OK
        found, reason = block.decode(registers)
        if found is not None:
            reason = self._objection(found)
            if reason == _OK:
                self.block, self.block_at_s, self.crc = found, self.at_s, registers[-1]
                self.epoch, self.counter, self.lease = found.epoch, found.counter, found.master
                self._inbox.append(found)
        self.reason = reason
        return reason

    def _objection(self, found: Block) -> Reason:
        o = found.outputs
        if not self.readings.remote:
            return Reason.LOCAL
        if self.lease and found.master != self.lease:
            return Reason.LEASE_HELD
        if found.epoch < self.epoch or found.epoch == 0:
            return Reason.EPOCH_OLDER
        if found.epoch == self.epoch and not 0 < (found.counter - self.counter) & 0xFFFF_FFFF < 0x8000_0000:
            return Reason.COUNTER_NOT_ADVANCED
        if found.master == 0:
            return Reason.BAD_VALUE
        if self.age_s(found.source_alive) > self.settings.stale_s:
            return Reason.STALE_SOURCE
        if (o.mode == _RUN or (o.mode == _HOLD and o.heat_enable)) and (o.batch_id == 0 or o.recipe_crc == 0):
            return Reason.NO_BATCH
        return _OK

    def age_s(self, source_alive: int) -> float:
        """Return how old the image with that alive counter is, s; infinite when this start of the PLC never showed it."""
        back = self.alive - source_alive
        if back < 0 or back >= len(self._alive_at_s):
            return float("inf")
        return self.at_s - self._alive_at_s[-1 - back]

    @property
    def silent_s(self) -> float:
        """Return the time since the last valid block, s."""
        return self.at_s - self.block_at_s

    @property
    def _expired(self) -> bool:
        return self.silent_s >= self.settings.watchdog_s and self.settings.watchdog_enabled and not self.faults.watchdog_dead

    @property
    def warning(self) -> bool:
        """Return whether the PLC warns of missing blocks."""
        return self.silent_s >= self.settings.warn_s

    # ---- the scan ----

    def scan(self, dt_s: float) -> None:
        """Let ``dt_s`` pass for the plant, read the instruments, decide and drive the outputs."""
        steps = 1 if dt_s <= _LONGEST_STEP_S else ceil(dt_s / _LONGEST_STEP_S)
        for _ in range(steps):
            self.plant.step(dt_s / steps, self.actuators)
        self.at_s += dt_s
        if self.faults.stopped:
            self.actuators, self.taken, self._inbox = Actuators(), [], []
            return
        self.readings = self.plant.read(dt_s)
        self.alive += 1
        self._alive_at_s.append(self.at_s)
        self.taken, self._inbox = self._inbox, []
        self.guards.look(self.readings, self.actuators, dt_s)
        for taken in self.taken:
            self._take(taken.outputs)
        self._supervise()
        self._drive(dt_s)
        self._publish()

    def _take(self, o: Outputs) -> None:
        """Watch the rising edges of reset and heat enable, and take ``o`` over."""
        if o.mode == _ABORT:
            self.rearm, self._armed = True, False
        elif o.reset and not self._reset_was:
            self.guards.reset()
            if not self.guards.tripped and self.rearm:
                self.rearm, self._heat_was_low = False, False
        self._reset_was = o.reset
        if not o.heat_enable:
            self._heat_was_low = True
        elif self._heat_was_low:
            self._heat_was_low = False
            if o.purge_permission and not self.rearm:
                self._armed = True
        self._wanted = o
        if not (o.mode == _OFF and self.guards.hot):  # OFF on a hot load keeps the inerting
            self._gas = o

    def _supervise(self) -> None:
        """Find the state from local switch, trips, valid blocks and the time without them."""
        if not self.readings.remote:
            self._fall_back(_LOCAL)
        elif self.guards.tripped:
            self._fall_back(_TRIPPED)
        elif self.taken:
            self.state = _IDLE if self._wanted.mode == _OFF else _FOLLOWING
        elif self.state == _WATCHDOG_SAFE and self.at_s - self._safe_since_s >= self.settings.hold_s:
            self.state = _COOLDOWN
        elif self._expired and self.state not in (_BOOT_SAFE, _COOLDOWN):
            self._fall_back(_WATCHDOG_SAFE)
        if self.silent_s >= self.settings.watchdog_s or self.state == _LOCAL:
            self.lease = 0

    def _fall_back(self, state: PlcState) -> None:
        if self.state != state:
            self.state, self._safe_since_s = state, self.at_s
        self.rearm, self._armed = True, False

    def _drive(self, dt_s: float) -> None:
        guards, readings, a, o = self.guards, self.readings, self.actuators, self._wanted
        live = self.state in (_FOLLOWING, _IDLE)
        blocked = guards.heat_block
        if not live:
            blocked |= _LEASE
        if self.rearm:
            blocked |= _TRIP
        elif not (self._armed or self._heat_was_low):
            blocked |= _MODE
        if o.mode not in (_RUN, _HOLD):
            blocked |= _MODE
        self.heat_block = blocked
        heat = blocked == 0 and o.heat_enable and self._armed
        a.main_contactor = a.zone_contactors = heat
        a.zone_op_pct = self.loops.step(readings, o, heat, dt_s)
        a.cooling = not heat and (o.mode in (_COOL, _ABORT) or self.state in (_COOLDOWN, _TRIPPED))
        guards.follow(a, readings, self._gas)
        follows = live and o.mode != _ABORT
        guards.release(a, readings, vent=follows and o.vent_valve, door=follows and o.door_release)

    # ---- the image ----

    def image(self) -> list[int]:
        """Return the registers of the image, ``wiring.registers`` of them, as the last scan left them."""
        return self._image

    @property
    def values(self) -> dict[str, float]:
        """Return what the last scan published, by signal."""
        return dict(zip(SHOWN, (*self.readings, *self._words), strict=True))

    def _publish(self) -> None:
        if not self.faults.echo_frozen:
            self._echo = self.lease, self.epoch, self.counter, self.crc
        self._words = (
            *self.loops.applied_c, self.alive, self.boot_id, self.state, self.reason, self.heat_block, self.heat_block == 0,
            self.settings.watchdog_s if self.settings.watchdog_enabled else 0.0, *self._echo, self.guards.purge_proven, self.guards.tripped,
            block.SIGNATURE, block.MAP_VERSION, self.serial,
        )  # fmt: skip
        if not self.faults.image_frozen:
            _WORDS.pack_into(self._numbers.data, 0, *self._words)
            encode(self.plant.instruments.numbers, self._numbers, self._plan, self._registers)
            self._image: list[int] = self._registers.tolist()
