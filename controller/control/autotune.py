"""Autotune: a relay experiment in the middle of a soak, and a proposal that a person may copy into ``controller.toml``.

It runs in a SOAK because only there heat, atmosphere and load are as the loop will find them: an idle unit has no batch and the PLC refuses
it heat; a held one is cooled after its hold time. Everything above control goes on: interlocks, limits of output and set point, the PLC.
The experiment ends at once, and the old tuning goes on without a bump, when heat is taken away, set point or phase move, a temperature is
not valid, the PV leaves its swing, or time is up. It never changes a setting.
"""

from typing import Final, NamedTuple

from controller.control import relay as relays
from controller.control.pid import Tuning
from controller.control.relay import Found, Relay

ZONE, LEAD = "zone", "lead"
CLOSED_OVER_DELAY: Final = {ZONE: 2.0, LEAD: 3.0}  # closed-loop time constant over the delay: slower than SIMC's 1, for three coupled zones

LEAST_GAIN, MOST_GAIN, MOST_INTEGRAL_S = 1e-3, 999.0, 99000.0  # of a proposal, inside what ``Tuning`` takes


class Tune(NamedTuple):
    """A running experiment.

    loop: ``zone`` or ``lead``; temp_c: the load's set point; phase: index of the SOAK; set_name and gas: what the proposal is for;
    offsets: of the three outputs to their mean; swing_c: how far the PV may go; limit_s: how long it may take.
    """

    loop: str
    relay: Relay
    temp_c: float
    phase: int
    set_name: str
    gas: str
    user: str
    offsets: tuple[float, float, float]
    swing_c: float
    limit_s: float
    elapsed_s: float = 0.0
    output: float = 0.0


class Ended(NamedTuple):
    """How an experiment ended: ``why`` when it was broken off, else what it found and proposes."""

    tune: Tune
    why: str
    found: Found | None = None
    tuning: Tuning | None = None


def step(tune: Tune, pvs_c: tuple[float, ...] | None, stop: str, dt_s: float) -> tuple[Tune, Ended | None]:
    """Return the experiment after this scan, and how it ended if it did; its output is ``tune.output``.

    Args:
        tune: as the last scan left it.
        pvs_c: the three zones' temperatures, or the load's one; None when one is not valid.
        stop: why it must end now, "" when it may go on.
        dt_s: time since the last scan, s.
    """
    tune = tune._replace(elapsed_s=tune.elapsed_s + dt_s)
    if stop or pvs_c is None:
        return tune, Ended(tune, stop or "a temperature is not valid")
    relay = tune.relay
    for pv_c in pvs_c:
        if abs(pv_c - relay.sp_c) > tune.swing_c:
            return tune, Ended(tune, f"{pv_c:.1f} degC left {relay.sp_c:.1f} ± {tune.swing_c:g} degC")
    if tune.elapsed_s > tune.limit_s:
        return tune, Ended(tune, f"not settled in {tune.limit_s / 60:g} min ({len(relay.cycles)} cycles)")
    before = len(relay.cycles)
    relay, output = relays.step(relay, pvs_c, dt_s)
    tune = tune._replace(relay=relay, output=output)
    if len(relay.cycles) == before:
        return tune, None
    if relays.settled(relay.cycles):
        return tune, _proposed(tune)
    if len(relay.cycles) >= relays.MOST_CYCLES:
        return tune, Ended(tune, f"{len(relay.cycles)} cycles, and the last two do not agree")
    return tune, None


def _proposed(tune: Tune) -> Ended:
    """Return the proposal: for the zones that of the one that reacts strongest, so that none of the three swings."""
    try:
        found = [relays.identify(tune.relay, which) for which in range(len(tune.relay.pv_c))]
    except ValueError as error:
        return Ended(tune, str(error))
    worst = max(found, key=lambda one: one.slope_c_per_s * one.delay_s)
    gain, integral_s = relays.simc(worst.slope_c_per_s, worst.delay_s, CLOSED_OVER_DELAY[tune.loop] * worst.delay_s)
    if not (LEAST_GAIN <= gain <= MOST_GAIN and integral_s <= MOST_INTEGRAL_S):
        why = f"gain {gain:.3g} and integral {integral_s:.3g} s are outside {LEAST_GAIN:g}-{MOST_GAIN:g} and {MOST_INTEGRAL_S:g} s"
        return Ended(tune, why)
    return Ended(tune, "", worst, Tuning(gain=float(f"{gain:.3g}"), integral_s=float(f"{integral_s:.3g}")))


def told(ended: Ended) -> dict[str, object]:
    """Return the journal's entry for an experiment that ended."""
    tune, found, tuning = ended.tune, ended.found, ended.tuning
    said: dict[str, object] = {
        "what": "autotune", "event": "proposed" if tuning else "broken off", "loop": tune.loop, "temp_c": tune.temp_c, "gas": tune.gas,
        "set": tune.set_name, "user": tune.user, "took_s": tune.elapsed_s, "cycles": len(tune.relay.cycles), "why": ended.why,
    }  # fmt: skip
    if found is None or tuning is None:
        return said
    return {
        **said, "why": f"{tune.loop} loop at {tune.temp_c:g} degC, {tune.gas}: gain {tuning.gain:g}, integral {tuning.integral_s:g} s",
        "gain": tuning.gain, "integral_s": tuning.integral_s, **found._asdict(), "toml": snippet(tune, tuning),
    }  # fmt: skip


def snippet(tune: Tune, tuning: Tuning) -> str:
    """Return the proposal as a part of ``controller.toml``: the plain tuning, or a breakpoint of the named set that was in use."""
    numbers = f"gain = {tuning.gain:g}, integral_s = {tuning.integral_s:g}"
    head = f"# autotune of the {tune.loop} loop at {tune.temp_c:g} degC, {tune.gas}, {tune.elapsed_s / 60:.0f} min, by {tune.user}\n"
    if tune.set_name == "default":
        return f"{head}[settings.tunings.{tune.loop}]\ngain = {tuning.gain:g}\nintegral_s = {tuning.integral_s:g}\n"
    table = "nitrogen" if tune.gas == "N2_FLOW" else "vacuum"
    return f"{head}[[settings.tunings.sets.{tune.set_name}.{table}]]\ntemp_c = {tune.temp_c:g}\n{tune.loop} = {{ {numbers} }}\n"
