"""The recipes of the exploration: together every kind of phase, each as short as it can be, on the vacuum and on the nitrogen path."""

from pathlib import Path
from typing import Final

from controller.command import Start
from controller.recipe.reading import parse_recipe, read_load

_ROOT: Final = Path(__file__).parents[2] / "recipes"
_HEAD: Final = """
revision = 1
title = "Exploration"
author = "exploration"
purpose = "Every kind of phase, shorter than a long step of the exploration; no limit is"
[material]
polymer = "PAI"
solvent = "NMP"
[load]
max_length_m = 30.0
max_width_m = 0.6
max_film_um = 25.0
min_residual_wt_pct = 10.0
max_residual_wt_pct = 25.0
[endpoint]
max_residual_wt_pct = 1.5
insoluble_low_pct = 15.0
insoluble_aim_pct = 50.0
insoluble_high_pct = 90.0
on_o2 = "HOLD"
[power_fail]
short = "CONTINUE"
medium = "RAMP_BACK_SP"
long = "RESTART_SEGMENT"
"""
_HEAT: Final = 'atmosphere = "{gas}"\n{key} = {value}\n'
_VACUUM: Final = _HEAT.format(gas="VACUUM", key="pressure_mbar", value=20.0)
_N2: Final = _HEAT.format(gas="N2_FLOW", key="n2_flow_nm3_h", value=40.0)


def _phase(kind: str, text: str = "", timeout: str = "timeout_min = 60.0\n") -> str:
    return f'[[phase]]\nkind = "{kind}"\n{timeout}{text}'


TARGET_C: Final = 100.0  # from cold in less than a long step at the oven's own rate
_RAMP: Final = f"target_c = {TARGET_C}\nrate_c_per_min = 5.0\n"
_AT: Final = f"target_c = {TARGET_C}\n"
_COOL: Final = _phase("COOL", "target_c = 58.0\n" + _N2)
_END: Final = _phase("END", timeout="")
_PURGE: Final = _phase("CYCLE_PURGE", "low_mbar = 15.0\nhigh_mbar = 900.0\ncycles = 2\n")

TEXTS: Final[dict[str, str]] = {
    "vacuum": "".join((
        _phase("LEAK_TEST", 'pressure_mbar = 20.0\nhold_min = 5.0\nmax_rise_mbar_h = 10.0\non_timeout = "STOP"\n'),
        _PURGE,
        _phase("EVACUATE", "pressure_mbar = 65.0\n"),
        _phase("RAMP", _RAMP + _VACUUM),
        _phase("CURE", _AT + "min_min = 10.0\nfallback_min = 15.0\n" + _VACUUM),
        _COOL,
        _phase("VENT"),
        _END,
    )),
    "nitrogen": "".join((
        _phase("PURGE_FLOW", "n2_flow_nm3_h = 40.0\nvolumes = 5.0\nmax_o2_pct = 1.0\n"),
        _phase("STEP", _AT + _N2),
        _phase("SOAK", _AT + 'soak_min = 10.0\non_power_fail = "RESET"\n' + _N2),
        _COOL,
        _END,
    )),
    "pauses": "".join((
        _phase("LEAK_TEST", 'pressure_mbar = 20.0\nhold_min = 5.0\nmax_rise_mbar_h = 10.0\non_fail = "CONTINUE"\n'),
        _phase("BRANCH", 'on = "LEAK_TEST"\nto = "out"\n', timeout=""),
        _PURGE,
        _phase("RAMP", _RAMP + _VACUUM),
        _phase("PRESSURE_RISE", _AT + 'isolate_s = 60.0\nmax_mbar = 60.0\non_timeout = "CONTINUE"\n' + _VACUUM),
        _phase("WAIT", 'tag = "temp_c"\nrising = 90.0\non_power_fail = "HOLD"\n' + _VACUUM),
        _phase("OPERATOR", 'text = "Go on?"\non_timeout = "ABORT"\n' + _VACUUM),
        _phase("COOL", 'label = "out"\ntarget_c = 58.0\n' + _N2),
        _phase("BACKFILL", "pressure_mbar = 1000.0\n"),
        _END,
    )),
}  # fmt: skip


def start(name: str) -> Start:
    """Return a START with the recipe of that name in ``TEXTS`` and the sample roll."""
    sourced = parse_recipe(f'id = "explore-{name}"\n{_HEAD}{TEXTS[name]}', f"explore-{name}.toml")
    return Start(sourced.recipe, sourced.sha256, sourced.text, read_load(_ROOT / "loads" / "sample-roll.toml"))
