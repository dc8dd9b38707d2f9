"""The two pressure gauges held against each other and against the gas that is fed or pumped (I4G, I4F).

A capacitance gauge (PT-301) is exact and gas independent and may freeze with good quality. A Pirani gauge (PT-302) measures the gas's heat
conduction: calibrated for N2, it shows up to twice or half of the truth in other gases and vapours below about 10 mbar, and above some
50-100 mbar it says little more than "not vacuum". So both are compared only as far as the Pirani's range goes, by a ratio and an absolute
band, and by that one word: far beyond its range it denies a vacuum. Above that range a frozen gauge shows only by not following the gas: N2
fed into a shut chamber, or the pump behind an open valve; in the upper part of it, where the Pirani would contradict too late, and where
there is none, by its last digit.
"""

from typing import Final, NamedTuple

from controller.image import Inputs
from controller.interlocks.limits import Limits
from controller.units import ATMOSPHERE_MBAR

FOLLOWS: Final = 0.25  # share of the expected rise that a sound gauge shows at least; the free volume and the gas temperature are not exact
STILL: Final = 0.02  # a gauge that has moved by less than this share (and STILL_MBAR) has not moved
STILL_MBAR: Final = 1.0
METER_ZERO_NM3_H: Final = 1.0  # below it FT-402 shows its zero
PUMPED_PCT: Final = 80.0  # throttle opening from which a pump-down must be seen


class Watch(NamedTuple):
    """What is remembered of the capacitance gauge; it starts anew whenever the gauge has moved or nothing is fed or pumped."""

    contradict_s: float = 0.0  # how long the gauges have contradicted each other
    mark_mbar: float | None = None  # where the gauge stood when feeding or pumping began
    fed_mbar: float = 0.0  # what N2 should have added since, at least
    pumped_s: float = 0.0  # how long the pump has worked since
    frozen: bool = False  # it has not followed, and has not moved since
    alone_mbar: float | None = None  # what it shows in a vacuum while the Pirani tells nothing of it
    still_s: float = 0.0  # and for how long that has not changed by one digit


def contradict(limits: Limits, inputs: Inputs) -> bool:
    """Return whether the gauges contradict each other in this scan; a gauge without a reading contradicts nobody (I4L, I4T)."""
    exact, pirani = inputs.pressure_cap_mbar.value, inputs.pressure_pirani_mbar.value
    if exact is None or pirani is None:
        return False
    if exact < limits.gauge_range_mbar and pirani > limits.gauge_ratio * limits.gauge_range_mbar:
        return True
    low, high = max(min(exact, pirani), 0.0), min(max(exact, pirani), limits.gauge_range_mbar)  # above it the Pirani knows no more
    return high - low > limits.gauge_band_mbar and high > limits.gauge_ratio * low


def step(watch: Watch, limits: Limits, chamber_m3: float, inputs: Inputs, throttle_pct: float) -> Watch:
    """Return the watch after this scan: by what is fed and pumped (see ``_followed``), and by its last digit in a vacuum.

    That is where there is no Pirani gauge, or where it would contradict only far beyond its range.
    """
    after = _followed(watch, limits, chamber_m3, inputs, throttle_pct)
    exact = inputs.pressure_cap_mbar.value
    if exact is None or exact >= limits.gauge_range_mbar:
        return after
    if inputs.pressure_pirani_mbar.value is not None and limits.gauge_ratio * exact < limits.gauge_range_mbar:
        return after
    still_s = watch.still_s + inputs.dt_s if exact == watch.alone_mbar else 0.0
    return after._replace(alone_mbar=exact, still_s=still_s)


def _followed(watch: Watch, limits: Limits, chamber_m3: float, inputs: Inputs, throttle_pct: float) -> Watch:
    """Return the watch over whether the gauge follows.

    N2 adds at least flow / volume x 1013 mbar (at 0 degC; a warm chamber more) while vacuum and exhaust valve are shut. A pump behind an
    open valve and throttle takes a chamber down by far more than ``STILL`` in ``gauge_still_s`` above the Pirani's range; below it the
    Pirani tells.
    """
    contradict_s = watch.contradict_s + inputs.dt_s if contradict(limits, inputs) else 0.0
    exact = inputs.pressure_cap_mbar.value
    if exact is None:
        return Watch(contradict_s)
    mark = watch.mark_mbar
    if watch.frozen and mark is not None and abs(exact - mark) < max(STILL_MBAR, STILL * mark):
        return Watch(contradict_s, watch.mark_mbar, watch.fed_mbar, watch.pumped_s, watch.frozen)
    added_mbar, pumps = _fed_mbar(inputs, chamber_m3), _pumps(inputs, throttle_pct, exact, limits)
    if not added_mbar and not pumps:
        return Watch(contradict_s)
    if mark is None:  # the movement counts from here
        return Watch(contradict_s, exact)
    fed_mbar, pumped_s = watch.fed_mbar + added_mbar, watch.pumped_s + (inputs.dt_s if pumps else 0.0)
    sound_mbar = max(STILL_MBAR, FOLLOWS * fed_mbar)
    if pumped_s:
        sound_mbar = max(sound_mbar, STILL * mark)
    if abs(exact - mark) >= sound_mbar:
        return Watch(contradict_s, exact)
    frozen = fed_mbar >= limits.gauge_move_mbar or pumped_s >= limits.gauge_still_s
    return Watch(contradict_s, mark, fed_mbar, pumped_s, frozen)


def _fed_mbar(inputs: Inputs, chamber_m3: float) -> float:
    """Return what this scan's N2 adds to a shut chamber, mbar; 0 while it can leave or is not known."""
    flow = inputs.n2_flow_nm3_h.value
    if flow is None or flow < METER_ZERO_NM3_H or inputs.n2_valve_open.value is not True:
        return 0.0
    if inputs.vac_valve_closed.value is not True or inputs.exhaust_valve_closed.value is not True:
        return 0.0
    return flow / 3600.0 * inputs.dt_s / chamber_m3 * ATMOSPHERE_MBAR


def _pumps(inputs: Inputs, throttle_pct: float, pressure_mbar: float, limits: Limits) -> bool:
    return (
        inputs.vac_valve_open.value is True
        and throttle_pct >= PUMPED_PCT
        and inputs.pump_run.value is True
        and pressure_mbar >= limits.gauge_range_mbar
    )
