"""``make bench``: speed and size of the core, side by side in one run. Figures depend on the machine; ratios less so."""

import resource
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from controller import block, estimator, plan
from controller import scan as scans
from controller import wiring as wirings
from controller.command import Start
from controller.journal import samples
from controller.memory import Settings
from controller.recipe.reading import read_load, read_recipe
from controller.recipe.states import FINAL, Verb
from controller.scan import scan, target_of
from sim import bench, virtual

ROOT = Path(__file__).parents[1]
WIRING = ROOT / "deploy" / "wiring.toml"
RECIPE = ROOT / "recipes" / "vacuum.toml"
LOAD = ROOT / "recipes" / "loads" / "production-roll.toml"
HOURS = 24


def times_us(work, count):
    """Return p50 and p99 of ``count`` calls, us."""
    found = []
    for _ in range(count):
        began = time.perf_counter_ns()
        work()
        found.append((time.perf_counter_ns() - began) / 1e3)
    found.sort()
    return found[count // 2], found[int(count * 0.99)]


def ramping():
    """Return a rig one hour into a production batch."""
    recipe, load = read_recipe(RECIPE), read_load(LOAD)
    rig = bench.rig(Settings(), wirings.load(WIRING), load, 1)
    for _ in range(10):
        rig.step()
    rig.ask(Verb.START, Start(recipe.recipe, recipe.sha256, recipe.text, load))
    while rig.at_s < 3600:
        assert rig.step().unit_state not in FINAL
    return rig


class Stopwatch:
    """Mean time of each stage inside the running loop, without that of the stages inside it."""

    def __init__(self, stages=()):
        self.spent_ns = dict.fromkeys(stages, 0)
        self._inner_ns = [0]

    def timed(self, stage, work):
        """Return ``work`` with its time counted for ``stage``."""

        def counted(*args, **keywords):
            self._inner_ns.append(0)
            began = time.perf_counter_ns()
            try:
                return work(*args, **keywords)
            finally:
                took = time.perf_counter_ns() - began
                self.spent_ns[stage] = self.spent_ns.get(stage, 0) + took - self._inner_ns.pop()
                self._inner_ns[-1] += took

        return counted


def stages(rig):
    """Return what a step of ``rig`` consists of: (stage, whose attribute, which)."""
    return [
        ("soft PLC, without the plant", rig.plc, "scan"),
        ("plant, a step", rig.plc.plant, "step"),
        ("plant, instruments", rig.plc.plant, "read"),
        ("decode the image", rig, "_read"),
        ("scan, what is not below", bench, "scan"),
        ("estimator", scans.estimator, "step"),
        ("conditioning", scans, "condition"),
        ("proof of the atmosphere", scans, "prove"),
        ("interlocks", scans, "evaluate"),
        ("recipe", scans.run, "step"),
        ("control", scans.loops, "step"),
        ("actuation", scans.actuation, "step"),
        ("encode the block", block, "encode"),
        ("PLC receives the block", rig.plc, "receive"),
        ("judge", rig.judge, "look"),
    ]


@contextmanager
def replaced(owner, name, by):
    """Let ``owner.name`` be ``by`` for a while."""
    was = getattr(owner, name)
    setattr(owner, name, by)
    try:
        yield
    finally:
        setattr(owner, name, was)


def breakdown(rig, steps=20_000):
    """Return the mean time of each stage in a step of the running loop, us; the clock itself adds 0.2 us to each."""
    watch = Stopwatch(stage for stage, _, _ in stages(rig))
    step = watch.timed("the rest: trace, notes", rig.step)
    with ExitStack() as stack:
        for stage, owner, name in stages(rig):
            stack.enter_context(replaced(owner, name, watch.timed(stage, getattr(owner, name))))
        for _ in range(steps):
            step()
    return {stage: spent / steps / 1e3 for stage, spent in watch.spent_ns.items()}


def main():
    """Print the table."""
    rig = ramping()
    memory, record = rig.memory, rig.record
    inputs, settings = record.inputs, rig.settings
    target, registers = target_of(memory.unit.batch.recipe.endpoint), rig.plc.image()
    idle = memory._replace(estimator=None)
    rows = [
        ("scan without the estimator", *times_us(lambda: scan(settings, idle, inputs), 20_000)),
        ("scan in which the estimator works", *times_us(lambda: _period(settings, memory, inputs), 400)),
        ("estimator, a working step", *times_us(lambda: _due(settings, memory, inputs, target), 2_000)),
        ("a forecast", *times_us(lambda: plan.forecast(settings, memory), 100)),
        ("decode the image", *times_us(lambda: rig.wiring.decode(registers, 1.0, 1.0, rig.own), 20_000)),
        ("pack a sample", *times_us(lambda: samples.pack(inputs, record.estimate, record.setpoints, record.outputs, 1), 20_000)),
        ("closed loop: scan, soft PLC, plant, judge", *times_us(rig.step, 20_000)),
    ]
    lines = [f"{'':45} {'p50':>9} {'p99':>9}  us", *(f"{name:45} {p50:9.1f} {p99:9.1f}" for name, p50, p99 in rows), ""]
    spent_us = breakdown(rig)
    lines += [f"in the closed loop, mean of a scan {'us':>20}", *(f"  {stage:43} {spent:9.1f}" for stage, spent in spent_us.items())]
    lines += [f"  {'together':43} {sum(spent_us.values()):9.1f}", ""]
    for forecast_s in (600.0, 60.0):
        result = virtual.run(RECIPE, LOAD, WIRING, 1, max_h=HOURS, forecast_s=forecast_s)
        lines.append(
            f"virtual batch of {HOURS} h at a 1 s scan, a forecast every {forecast_s:.0f} s: {result.wall_s:.1f} s,"
            f" {1e6 * result.wall_s / result.scans:.0f} us a scan"
        )
    lines.append(f"this process, everything loaded: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    sys.stdout.write("\n".join(lines) + "\n")


def _later(settings, inputs):
    return inputs._replace(at_s=inputs.at_s + settings.estimator.period_s)


def _due(settings, memory, inputs, target):
    return estimator.step(settings.estimator, memory.estimator, _later(settings, inputs), target)


def _period(settings, memory, inputs):
    """One scan in which the estimator works: the worst of its period."""
    return scan(settings, memory, _later(settings, inputs))


if __name__ == "__main__":
    main()
