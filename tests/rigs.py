"""Rigs in the middle of a batch, made once per test run and handed out as copies that run on bit by bit the same."""

from functools import cache
from pathlib import Path

from controller import wiring as wirings
from controller.command import Start
from controller.memory import Settings
from controller.recipe.flow import Leak
from controller.recipe.reading import parse_recipe, read_load, read_recipe
from controller.recipe.states import Verb
from sim import bench, lot
from tests.known import known

ROOT = Path(__file__).parents[1]
TRIAL = ROOT / "recipes" / "trial-short.toml"
SAMPLE = ROOT / "recipes" / "loads" / "sample-roll.toml"
PREPARED = {  # recipe, what is changed in its text, the phase and how long it has lasted, s, what the site sets differently
    "idle": ("trial-short", (), "", 0, {}),
    "leak test, known oven": ("trial-short", (), "LEAK_TEST", 3, {}),
    "alarm band": ("trial-short", (("soak_min = 20.0", "soak_min = 20.0\nalarm_high_c = 136.0"),), "SOAK", 120, {}),
    "start": ("trial-short", (), "LEAK_TEST", 0, {}),
    "leak test": ("trial-short", (), "LEAK_TEST", 3, {}),
    "evacuate": ("trial-short", (("timeout_min = 30.0", "timeout_min = 10.0"),), "EVACUATE", 3, {"limits": {"unattended_s": 300.0}}),
    "vacuum": ("trial-short", (), "SOAK", 120, {}),
    "tested": ("trial-short", (("pressure_mbar = 60.0\ntimeout_min = 240.0",
                                "pressure_mbar = 60.0\npressure_rise_every_min = 3.0\npressure_rise_s = 60.0\n"
                                "pressure_rise_max_mbar = 78.0\ntimeout_min = 240.0"),), "SOAK", 120, {}),
    "slow": ("trial-short", (("timeout_min = 120.0", "timeout_min = 30.0"),), "RAMP", 120, {"limits": {"stall_s": 7200.0}}),
    "nitrogen": ("nitrogen", (), "RAMP", 1200, {"limits": {"o2_quality_from_c": 40.0}}),
    "nitrogen, bare copper": ("nitrogen", (), "RAMP", 1200, {"limits": {"o2_quality_from_c": 40.0}}),
    "other site": ("trial-short", (), "SOAK", 120,
                   {"limits": {"load_required": ["outer", "edge"], "load_substitute": True, "batch_h": 1.0}}),
    "cure": ("trial-short", (("min_min = 4.0", "min_min = 2.0"), ("fallback_min = 45.0", "fallback_min = 10.0"),
                             ("timeout_min = 420.0", "timeout_min = 15.0"), ("pressure_rise_every_min = 10.0", ""),
                             ("pressure_rise_s = 120.0", ""), ("pressure_rise_max_mbar = 80.0", ""),
                             ("insoluble_low_pct = 15.0", "insoluble_low_pct = 88.0"),
                             ("insoluble_aim_pct = 50.0", "insoluble_aim_pct = 89.0")),
             "CURE", 20, {}),
}  # fmt: skip


@cache
def _prepared(name: str) -> bench.Rig:
    recipe, changes, kind, seconds, site = PREPARED[name]
    text = (ROOT / "recipes" / f"{recipe}.toml").read_text("utf-8")
    on_o2 = "HOLD" if name.endswith("bare copper") else "WARN"
    for was, now in (*changes, ('on_o2 = "WARN"', f'on_o2 = "{on_o2}"'), ('on_o2 = "HOLD"', f'on_o2 = "{on_o2}"')):
        text = text.replace(was, now, 1)
    sourced, load = parse_recipe(text, f"{recipe}.toml"), read_load(SAMPLE)
    rig = bench.rig(known(**{**site, "proof_test": {"required": False}}), wirings.load(bench.default_wiring()), load, 1)
    for _ in range(60 if kind else 480):  # who opens an oven has drawn air through it
        rig.step()
    if name.endswith("known oven"):  # what earlier batches left behind
        rig.memory = rig.memory._replace(unit=rig.memory.unit._replace(leaks=tuple(Leak(float(at_s), 0.05, 0) for at_s in range(8))))
    if not kind:
        return rig
    rig.ask(Verb.START, Start(sourced.recipe, sourced.sha256, sourced.text, load))
    since = 0
    while since < seconds:
        since = since + 1 if rig.step().phase_kind == kind else 0
        assert rig.at_s < 6 * 3600, (rig.record, bench.answers(rig))
    return rig


def prepared(name: str) -> bench.Rig:
    """Return a rig of ``PREPARED`` for one test: it shares nothing that changes with the others."""
    return _prepared(name).fork()


@cache
def _begun(kind: str, recipe: Path, load: Path, hours: float) -> bench.Rig:
    sourced, rolls = read_recipe(recipe), read_load(load)
    rig = bench.rig(Settings.model_validate(lot.settings(1)), wirings.load(bench.default_wiring()), rolls, 1)
    for _ in range(10):
        rig.step()
    rig.ask(Verb.START, Start(sourced.recipe, sourced.sha256, sourced.text, rolls))
    since = 0
    while since < 120 and rig.at_s < hours * 3600:
        since = since + 1 if rig.step().phase_kind == kind else 0
    assert rig.record is not None
    assert rig.record.phase_kind == kind
    return rig


def rig_at(kind: str, recipe: Path = TRIAL, load: Path = SAMPLE, hours: float = 4.0) -> bench.Rig:
    """Return a rig of the calibrated lot 1 that runs ``recipe`` and has just spent two minutes in a phase of ``kind``."""
    return _begun(kind, recipe, load, hours).fork()
