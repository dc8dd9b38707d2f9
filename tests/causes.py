"""What can be done to an oven on the bench from outside the controller, and undone: by plant, instrument, PLC or computer."""

from collections.abc import Callable
from typing import NamedTuple

from controller.memory import Settings
from controller.recipe.states import Verb
from controller.tags import Quality, Sample
from sim.bench import Rig
from sim.faults import clear, inject


class Cause(NamedTuple):
    """What is done to the oven, and undone; ``every`` before each scan with the seconds since."""

    begin: Callable[[Rig], None]
    end: Callable[[Rig], None]
    every: Callable[[Rig, float], None] | None = None


def fault(*names):
    """Faults of ``sim.faults``."""

    def begin(rig):
        for name in names:
            inject(rig.plc, name)

    def end(rig):
        for name in names:
            clear(rig.plc, name)

    return Cause(begin, end)


def shows(**values):
    """Instruments that show these values."""

    def begin(rig):
        rig.plc.plant.instruments.distortions.update({name: (lambda _v, _t, value=value: value) for name, value in values.items()})

    def end(rig):
        for name in values:
            rig.plc.plant.instruments.distortions.pop(name)

    return Cause(begin, end)


def shifted(**offsets):
    """Instruments that show so much more than they should."""

    def begin(rig):
        rig.plc.plant.instruments.distortions.update({name: (lambda v, _t, by=by: v + by) for name, by in offsets.items()})

    def end(rig):
        for name in offsets:
            rig.plc.plant.instruments.distortions.pop(name)

    return Cause(begin, end)


def drifting(c_per_min, *names):
    def begin(rig):
        from_s = rig.plc.plant.at_s
        rig.plc.plant.instruments.distortions.update(dict.fromkeys(names, lambda v, t: v + c_per_min * (t - from_s) / 60.0))

    def end(rig):
        for name in names:
            rig.plc.plant.instruments.distortions.pop(name)

    return Cause(begin, end)


def host(**values):
    """What the core sees of its own computer."""
    kept: dict[str, Sample[float]] = {}

    def begin(rig):
        kept.update(rig.own)
        rig.own |= {name: Sample(value, Quality.GOOD, 0.0) for name, value in values.items()}

    return Cause(begin, lambda rig: rig.own.update(kept))


def leaks(factor):
    def leak(rig, by):
        rig.plc.plant.chamber.leak_factor = by

    return Cause(lambda rig: leak(rig, factor), lambda rig: leak(rig, 1.0))


def together(*causes):
    def begin(rig):
        for cause in causes:
            cause.begin(rig)

    def end(rig):
        for cause in causes:
            cause.end(rig)

    return Cause(begin, end)


def exotherm(c_per_s, up_to_c):
    """Zone 2's walls are warmed by something else than its heater."""
    start: dict[int, float] = {}

    def every(rig, since_s):
        heaters = rig.plc.plant.heaters
        w1_c, w2_c, w3_c = heaters.walls_c
        base = start.setdefault(id(rig), w2_c)
        heaters.walls_c = (w1_c, max(w2_c, base + min(c_per_s * since_s, up_to_c)), w3_c)

    return Cause(lambda rig: None, lambda rig: None, every)


def welded_and_stopped(rig):
    inject(rig.plc, "contactor_welded")
    rig.ask(Verb.STOP)


def site(**sections):
    """A site whose equipment or limits are others than the rig's."""
    kept: dict[int, Settings] = {}

    def begin(rig):
        kept[id(rig)] = rig.settings
        parts = {name: getattr(rig.settings, name).model_copy(update=changed) for name, changed in sections.items()}
        rig.settings = rig.settings.model_copy(update=parts)

    def end(rig):
        rig.settings = kept.pop(id(rig))

    return Cause(begin, end)


def elements(broken):
    """The heating elements of all zones."""

    def put(rig, how):
        rig.plc.plant.field.elements_open = (how,) * 3

    return Cause(lambda rig: put(rig, broken), lambda rig: put(rig, False))


def runs(rig, cause, seconds, until=None):
    """Run for ``seconds`` or until a row is active; return the seconds it took, None when it never was."""
    for second in range(int(seconds) + 1):
        if cause is not None and cause.every is not None:
            cause.every(rig, float(second))
        if until in rig.step().verdict.active:
            return second + 1
    return None


BLOCKED = together(
    fault("exhaust_valve_stuck_shut"), shows(exhaust_valve_open=1.0, exhaust_valve_closed=0.0)
)  # behind the valve: switches as asked
NOTHING = Cause(lambda rig: None, lambda rig: None)  # what the rig itself comes to
