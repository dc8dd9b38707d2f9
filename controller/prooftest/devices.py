"""Safety devices that somebody has to test now and then: which rows rest on each, and how often. The intervals are a site's to replace."""

from typing import Final, NamedTuple


class Device(NamedTuple):
    """One device, or a group that is tested together."""

    name: str
    text: str
    rules: tuple[str, ...]  # rows of the interlock table that rest on it
    interval_d: float  # default [assume]


DEVICES: Final[tuple[Device, ...]] = (
    Device("limiter", "independent excess-temperature limiter", ("I1",), 365),
    Device("emergency-stop", "emergency stops and hard-wired heat chain", ("I2",), 180),
    Device(
        "door",
        "door switches, lock and its hard-wired release",
        ("I3", "I3D", "I3L", "I3N", "I3T", "I3U", "I19", "I19D", "I19N", "I19S"),
        365,
    ),
    Device("relief", "over-pressure relief and its switch", ("I4", "I4W"), 365),
    Device(
        "pressure-gauges",
        "capacitance and Pirani gauge against a reference",
        ("I4F", "I4G", "I4D", "I4L", "I4N", "I4T", "I6", "I6T", "I12"),
        365,
    ),
    Device("o2-analyser", "O2 analyser: zero and span gas, sample flow", ("I5", "I7", "I7W", "I8", "I8W", "I9", "I9T"), 90),
    Device(
        "n2-supply", "N2 header pressure, tank level, flow controller", ("I6N", "I10", "I11", "I11F", "I11M", "I11P", "I11S", "I11W"), 365
    ),
    Device("leak-rate", "leak rate of the empty, cold and clean chamber", ("I13",), 90),
    Device("vacuum-pump", "run feedback of the vacuum pumps", ("I14", "I14S"), 365),
    Device("exhaust", "run feedback of exhaust, condenser and circulation", ("I15", "I15P", "I15T"), 365),
    Device("solvent-sensor", "solvent sensor in the exhaust, with test gas", ("I16", "I16T"), 90),
    Device("trap-scale", "scale of the cold trap", ("I17",), 365),
    Device("room-o2", "room O2 monitor and its alarm", ("I20", "I20W"), 180),
    Device("thermocouples", "control, limit and load thermocouples against a reference", ("I21", "I21L", "I22", "I22W"), 365),
    Device("heat-contactors", "contactors open under load; none is welded", ("C2", "I24"), 365),
    Device("valves", "valves tight and their limit switches true", ("C1A", "C1E", "C1N", "C1V"), 365),
)
BY_NAME: Final = {device.name: device for device in DEVICES}
