"""Voting and choice of sensors: from samples to PVs that a step may calculate with (I21, I9, gauge choice)."""

from math import exp

from controller.image import Inputs, Process, ZonePv
from controller.interlocks.gauges import Watch
from controller.interlocks.limits import Limits
from controller.interlocks.sensors import ALL, Believed, VotedOut, o2_counts, o2_flows
from controller.tags import Quality, Sample

GAUGE_SWITCH_MBAR = 5.0  # below it the capacitance gauge's 0.2 % of full scale is worse than the Pirani's 15 % of reading

PIRANI_ALONE_MBAR = 100.0


NO_WATCH = Watch()
_ABSENT = Quality.ABSENT  # through the class a member costs 0.1 us


def condition(limits: Limits, inputs: Inputs, watch: Watch = NO_WATCH, believed: Believed = ALL) -> Process:
    """Return the PVs of ``inputs``: 2oo3 voting per zone, one pressure, an O2 value only where it is evidence.

    ``watch`` is what the last scan knew of the pressure gauges: two that have contradicted each other for ``gauge_s`` are no pressure.
    ``believed`` is what it knew of the other sensors: those that are voted out by name have no vote.
    """
    heard = _without(inputs, believed.out) if believed.out else inputs
    zones = (
        _zone(limits, heard.z1_tc_a_c, heard.z1_tc_b_c, heard.z1_tc_c_c, inputs.z1_limit_c),
        _zone(limits, heard.z2_tc_a_c, heard.z2_tc_b_c, heard.z2_tc_c_c, inputs.z2_limit_c),
        _zone(limits, heard.z3_tc_a_c, heard.z3_tc_b_c, heard.z3_tc_c_c, inputs.z3_limit_c),
    )
    temps, gaps = [], []
    for temp_c, _, limit_c in zones:
        if temp_c is not None:
            temps.append(temp_c)
            if limit_c is not None:
                gaps.append(abs(temp_c - limit_c))
    load, missing = [], False
    for value, quality, _ in (inputs.load_outer_c, inputs.load_edge_c, inputs.load_core_c):
        if value is not None:
            load.append(value)
        elif quality is not _ABSENT:
            missing = True
    load_lost = missing and _required_lost(limits, inputs)
    pressure = _pressure(limits, inputs, watch)
    return Process(
        zones=zones,
        temp_c=sum(temps) / len(temps) if temps else None,
        hottest_c=None if load_lost else _hottest(limits, temps, load),  # the lost one may be the hottest
        load_min_c=min(load) if load else None,
        load_max_c=max(load) if load else None,
        pressure_mbar=pressure,
        load_lost=load_lost,
        o2_pct=_o2(inputs) if o2_flows(limits, inputs, pressure) and o2_counts(limits, believed, inputs.at_s) else None,
        zones_valid=(zones[0].valid, zones[1].valid, zones[2].valid),
        zone_max_c=max(temps) if temps else None,
        limit_gap_c=max(gaps) if gaps else None,
        load_missing=missing,
        pirani_alone=pressure is not None and (watch.frozen or inputs.pressure_cap_mbar.value is None),
    )


def reckoned(limits: Limits, process: Process, most_c: float, film_c: float | None, dt_s: float) -> tuple[float | None, float]:
    """Return the hottest temperature of zones and load that must be reckoned with, degC, and what no layer has exceeded by now, degC.

    A roll that was heated from outside and cools from there hides its hottest layers between its thermocouples: there the model adds what
    it knows. A load whose thermocouple is lost, or whose walls nobody reads, is reckoned to follow slowly what is read, from the hottest
    there has been: for a while nobody knows it, and not for ever.

    Args:
        limits: the site's.
        process: what the sensors say.
        most_c: what no layer had exceeded before this scan, degC.
        film_c: the model's hottest film, degC; None without a batch.
        dt_s: time since the last scan, s.
    """
    walls_c, seen_c = process.zone_max_c, process.hottest_c
    read_c = [temp_c for temp_c in (walls_c, process.load_max_c) if temp_c is not None]
    if not read_c:
        return None, most_c
    if film_c is None and seen_c is not None:  # no batch has heated it since it was last seen cold
        return seen_c, seen_c
    against_c = max(read_c) if walls_c is None or 0 in process.zones_valid else walls_c
    follows_c = against_c + (most_c - against_c) * exp(-dt_s / (3600.0 * limits.load_follow_h))
    if seen_c is None or walls_c is None or film_c is None:
        most_c = max(follows_c, *read_c)
        return most_c, most_c
    most_c = max(seen_c, follows_c)
    if film_c > walls_c:  # it cools: a film that is heated has no layer hotter than its walls
        hidden_c = film_c + min(limits.inner_c, film_c - walls_c)
        return max(seen_c, min(hidden_c, most_c)), most_c
    return seen_c, most_c


def n2_gone(limits: Limits, inputs: Inputs, gone: bool) -> bool:
    """Return whether the header has no pressure, so that nothing can be filled; one that was ``gone`` is back when it is no more low."""
    header = inputs.n2_header_bar.value
    return gone if header is None else header < (limits.n2_low_bar if gone else limits.n2_none_bar)


def gauges_believed(limits: Limits, inputs: Inputs, watch: Watch) -> Inputs:
    """Return ``inputs`` without the pressure gauges that are no pressure: one that is frozen, or two that contradict each other."""
    if watch.frozen:
        return inputs._replace(pressure_cap_mbar=Sample[float](None, Quality.BAD_SENSOR, inputs.at_s))
    if watch.contradict_s < limits.gauge_s:
        return inputs
    nothing = Sample[float](None, Quality.BAD_SENSOR, inputs.at_s)
    return inputs._replace(pressure_cap_mbar=nothing, pressure_pirani_mbar=nothing)


def _required_lost(limits: Limits, inputs: Inputs) -> bool:
    load = {"outer": inputs.load_outer_c, "edge": inputs.load_edge_c, "core": inputs.load_core_c}
    return any(load[name].value is None and load[name].quality is not Quality.ABSENT for name in limits.load_required)


def _hottest(limits: Limits, temps: list[float], load: list[float]) -> float | None:
    """Return the hottest temperature that must be reckoned with.

    While a roll cools from outside and from its core, layers that no thermocouple touches stay hotter than all that do: by up to
    ``inner_share`` of the distance between load and walls.
    """
    if not temps or not load:
        return max(temps + load, default=None)
    hottest = max(load)
    return max(*temps, hottest + limits.inner_share * (hottest - min(temps)))  # a load colder than the walls has the walls' temperature


def _without(inputs: Inputs, out: tuple[VotedOut, ...]) -> Inputs:
    """Return ``inputs`` without the readings of those that are voted out."""
    nothing = Sample[float](None, Quality.BAD_SENSOR, inputs.at_s)
    return inputs._replace(**{one.field: nothing for one in out})  # type: ignore[arg-type]


def _zone(limits: Limits, a: Sample[float], b: Sample[float], c: Sample[float], limit: Sample[float]) -> ZonePv:
    values = [value for value, _, _ in (a, b, c) if value is not None]
    values.sort()
    if len(values) == 3:
        low, middle, high = values
        if high - low <= limits.vote_c:
            return ZonePv((low + middle + high) / 3, 3, limit.value)
        # somebody lies: keep those that stand near the median
        kept = [value for value in values if abs(value - middle) <= limits.vote_c]
        values = [] if len(kept) == 1 or _tied(limits, kept, values, limit.value) else kept
    elif len(values) == 2 and values[1] - values[0] > limits.vote_c:
        values = []  # two that disagree: nobody can say which is right
    if not values:
        return ZonePv(None, 0, limit.value)
    return ZonePv(sum(values) / len(values), len(values), limit.value)


def _tied(limits: Limits, kept: list[float], values: list[float], limit_c: float | None) -> bool:
    """Return whether the limit thermocouple sides with the one that two others outvote: two against two decide nothing."""
    if len(kept) != 2 or limit_c is None or abs(sum(kept) / 2 - limit_c) <= limits.vote_c:
        return False
    lone = next(value for value in values if value not in kept)
    return abs(lone - limit_c) <= 0.5 * limits.vote_c


def _o2(inputs: Inputs) -> float | None:
    value = inputs.o2_pct.value
    return 0.0 if value is not None and value < 0.0 else value  # a zero that has drifted


def _pressure(limits: Limits, inputs: Inputs, watch: Watch) -> float | None:
    if watch.contradict_s >= limits.gauge_s and not watch.frozen:
        return None  # one of the two lies, and nothing tells which
    capacitance, pirani = inputs.pressure_cap_mbar.value, inputs.pressure_pirani_mbar.value
    if capacitance is None or watch.frozen:  # a Pirani gauge means little towards ambient pressure
        return pirani if pirani is not None and pirani < PIRANI_ALONE_MBAR else None
    if pirani is not None and capacitance < GAUGE_SWITCH_MBAR:
        return pirani
    return max(capacitance, 0.0)
