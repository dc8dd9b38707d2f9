"""A soft PLC on a bench, and a master that sends it a block in every scan."""

from collections.abc import Callable
from pathlib import Path

from controller import block, wiring
from controller.block import Block, Reason
from controller.image import OFF, Mode, Outputs
from sim.plant import Plant, Roll
from sim.softplc import Settings, SoftPlc

WIRING = wiring.load(Path(__file__).parents[1] / "deploy" / "wiring.toml")
RUN = OFF._replace(mode=Mode.RUN, batch_id=12, recipe_crc=0xC0FFEE, exhaust_fan=True, condenser=True, circulation=True)
VACUUM = RUN._replace(pump=True, roots=True, vac_valve=True, vac_throttle_pct=100.0)
BACKFILL = RUN._replace(n2_valve=True, n2_flow_sp_nm3_h=60.0)
FLOW = BACKFILL._replace(exhaust_valve=True)
SWEEP = RUN._replace(vent_valve=True, exhaust_valve=True)
HEAT = VACUUM._replace(heat_enable=True, purge_permission=True, zone_sp_c=(200.0,) * 3, zone_op_pct=(100.0,) * 3, rate_limit_c_per_min=5.0)


class Master:
    """Sends a block in every scan, as the controller does."""

    def __init__(self, plc: SoftPlc, number: int = 7, epoch: int = 1) -> None:
        self.plc, self.number, self.epoch, self.counter = plc, number, epoch, 0

    def registers(self, outputs: Outputs, **changed: int) -> list[int]:
        self.counter += 1
        plain = Block(self.epoch, self.counter, self.number, self.plc.alive, outputs)
        return list(block.encode(plain._replace(**changed)))

    def run(self, outputs: Outputs, seconds: float, dt_s: float = 1.0, until: Callable[[], bool] = lambda: False) -> None:
        for _ in range(round(seconds / dt_s)):
            assert self.plc.receive(self.registers(outputs)) == Reason.OK
            self.plc.scan(dt_s)
            if until():
                return

    def air(self) -> None:
        """Draw air through, so that the door may be unlocked."""
        self.run(SWEEP, 300)

    def purge(self, cycles: int = 2) -> None:
        for _ in range(cycles):
            self.run(VACUUM, 900, until=lambda: self.plc.values["pressure_cap_mbar"] < 40.0)
            self.run(BACKFILL, 900, until=lambda: self.plc.values["pressure_cap_mbar"] > 400.0)

    def heat_up(self, outputs: Outputs = HEAT, seconds: float = 60.0) -> None:
        self.purge()
        self.run(VACUUM, 200)
        self.run(VACUUM._replace(reset=True), 2)
        self.run(VACUUM, 2)
        self.run(outputs, seconds)


def oven(settings: Settings | None = None, roll: Roll | None = None) -> tuple[SoftPlc, Master]:
    plc = SoftPlc(WIRING, Plant(roll=roll, seed=1), settings)
    return plc, Master(plc)


def scans(plc: SoftPlc, seconds: float) -> None:
    for _ in range(round(seconds)):
        plc.scan(1.0)
