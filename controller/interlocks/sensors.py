"""Which sensors are believed (I21, I9) and what only time tells of them: stuck, impossible slopes, common causes, restarts.

Every scan votes by what it sees (``conditioning``). A control thermocouple that the vote drops in three scans, or that is caught here, is
voted out by name: open or out of range until it has agreed with its zone for some minutes; shorted, jumping, stuck or disagreeing until
it has agreed *and* a person has acknowledged I21V. All of this is looked at every ``LOOK_S``, and at once when the vote changes.
"""

from operator import attrgetter
from typing import Final, NamedTuple

from controller.image import SIGNALS, Inputs, Process, ZonePv
from controller.interlocks.limits import Limits
from controller.tags import Quality, Sample

LOOK_S: Final = 10.0
GAP_S: Final = 60.0  # after a longer pause old readings are compared with nothing
SMOOTH_S: Final = 50.0  # filter of the readings that slow comparisons use
SCANS: Final = 3  # for which the vote must drop a thermocouple before it is voted out by name
STILL_SHARE: Final = 0.3  # of what the others have moved; whose readings all lie closer together stands still
JUMP_C: Final = 5.0  # noise that a slope is forgiven
ROOM_C: Final = 45.0  # a short shows the temperature of the place where it is; below this it may be one
LOAD_RISE_C: Final = 3.0  # by which the load must warm while it is hotter than every zone (I22R)
ECHO_LOOKS: Final = 2  # looks in which the PLC's echo has stood still (I28E)
FIELDS: Final = tuple(f"z{zone}_{name}_c" for zone in (1, 2, 3) for name in ("tc_a", "tc_b", "tc_c", "limit"))
ABRUPT: Final = ("short", "rate", "stuck", "disagrees")  # a person acknowledges before it is believed again
_READINGS: Final = attrgetter(*FIELDS)
_BLANK: Final = (None,) * len(FIELDS)
_UNDECIDED: Final = (-1, -1, -1)  # no vote looks like this: the next scan looks again
Readings = tuple[float | None, ...]  # in the order of FIELDS


class VotedOut(NamedTuple):
    """One control thermocouple that is not believed."""

    field: str
    why: str  # open, range, short, rate, stuck or disagrees
    at_s: float
    agreed_s: float = 0.0  # for how long it has agreed with its zone again

    @property
    def told(self) -> str:
        """Return tag and reason, for people."""
        return f"{SIGNALS[self.field].name} {self.why}"


class Believed(NamedTuple):
    """What is remembered of the sensors; readings in the order of ``FIELDS``, degC."""

    looked_s: float = -1e9  # process time of the last look
    valid: tuple[int, int, int] = (0, 0, 0)  # what the vote should find with those that are out
    out: tuple[VotedOut, ...] = ()
    doubt: tuple[int, ...] = (0,) * len(FIELDS)  # scans in which the vote has dropped each
    last_c: Readings = _BLANK
    smooth_c: Readings = _BLANK
    mark_c: Readings = _BLANK  # where each stood, smoothed, when its zone's movement began
    low_c: Readings = _BLANK  # lowest and highest reading since
    high_c: Readings = _BLANK
    o2_from_s: float = 0.0  # process time from which the analyser has had gas for long enough
    o2_pct: float | None = None
    o2_still_s: float = 0.0  # for how long its reading has not moved by one bit
    load_mark_c: float | None = None  # the load's temperature when it became hotter than every zone
    zones_low: bool = False  # the load has warmed since: the zones' thermocouples are wrong together
    echo: int | None = None
    echo_looks: int = 0  # in which the echo has stood still while the PLC lives
    boot_id: int | None = None
    restarted: str = ""  # "core" or "PLC" when one has just come back

    @property
    def told(self) -> str:
        """Return all that are voted out, with their reasons."""
        return ", ".join(one.told for one in self.out)


ALL: Final = Believed()


def unsettled(believed: Believed, limits: Limits) -> bool:
    """Return whether one that a person must acknowledge does not agree with its zone yet."""
    return any(one.why in ABRUPT and one.agreed_s < limits.rejoin_s for one in believed.out)


def o2_counts(limits: Limits, believed: Believed, at_s: float) -> bool:
    """Return whether the analyser's reading may count: it has had gas for its settling time and is not frozen."""
    return at_s >= believed.o2_from_s and believed.o2_still_s < limits.o2_frozen_s


def o2_flows(limits: Limits, inputs: Inputs, pressure_mbar: float | None) -> bool:
    """Return whether the analyser is ready and gets gas; under vacuum its sample pump draws nothing."""
    flow = inputs.o2_sample_flow_l_min.value
    return (
        pressure_mbar is not None
        and pressure_mbar >= limits.o2_analyser_from_mbar
        and inputs.o2_ready.value is True
        and inputs.o2_cal_ok.value is True
        and flow is not None
        and flow >= 0.1
    )


def step(before: Believed, limits: Limits, inputs: Inputs, process: Process, latched: bool) -> Believed:
    """Return what is believed after this scan, the same object when nothing is due.

    Args:
        before: what was believed.
        limits: the site's.
        inputs: of this scan.
        process: what the vote made of them.
        latched: I21V waits for a person: nobody who waits for one comes back.
    """
    at_s, boot_id = inputs.at_s, inputs.plc_boot_id.value
    due = not 0.0 <= at_s - before.looked_s < LOOK_S
    if not due and process.zones_valid == before.valid and boot_id == before.boot_id:
        return before
    if inputs.plc_alive.value is None:  # an image that is lost says nothing of any sensor
        return before
    known = before
    if boot_id != before.boot_id:
        known = known._replace(boot_id=boot_id, restarted=before.restarted if before.boot_id is None else "PLC")
    elif due and before.restarted:
        known = known._replace(restarted="")
    values = tuple([sample.value for sample in _READINGS(inputs)])
    if due and process.zones_valid == before.valid and not _moves(known.last_c, values, JUMP_C):
        pass  # the vote is what it should be, and nobody has jumped
    else:
        known = _vote(known, limits, inputs, process, values)
    if due:
        known = _look(known, limits, inputs, process, values, latched)
    return known._replace(valid=_UNDECIDED if any(known.doubt) else _expected(known.out))


def _expected(out: tuple[VotedOut, ...]) -> tuple[int, int, int]:
    zones = [3, 3, 3]
    for one in out:
        zones[int(one.field[1]) - 1] -= 1
    return (zones[0], zones[1], zones[2])


def _reference(zone: ZonePv) -> float | None:
    return zone.temp_c if zone.temp_c is not None else zone.limit_c


# ---- what the vote drops ----


def _vote(known: Believed, limits: Limits, inputs: Inputs, process: Process, values: Readings) -> Believed:
    """Count for how many scans the vote has dropped each thermocouple, and vote out those that it has dropped often enough."""
    gone = {one.field for one in known.out}
    doubt, out = list(known.doubt), list(known.out)
    for index, field in enumerate(FIELDS):
        if index % 4 == 3 or field in gone:
            doubt[index] = 0
            continue
        why = _dropped(known, limits, getattr(inputs, field), values, index, process.zones[index // 4], inputs.at_s)
        doubt[index] = doubt[index] + 1 if why else 0
        if doubt[index] >= SCANS:
            out.append(VotedOut(field, why, inputs.at_s))
            doubt[index] = 0
    return known._replace(doubt=tuple(doubt), out=tuple(out))


def _dropped(known: Believed, limits: Limits, sample: Sample[float], values: Readings, index: int, zone: ZonePv, at_s: float) -> str:
    """Return why a thermocouple is not believed in this scan, "" while it is."""
    if sample.quality is Quality.BAD_SENSOR:
        return "open"
    if sample.quality is Quality.BAD_RANGE:
        return "range"
    value, last, reference = sample.value, known.last_c[index], _reference(zone)
    if value is None:
        return ""
    if last is not None and _jumped(limits, value - last, at_s - known.looked_s):  # also when all of a zone jump together
        return "short" if value < ROOM_C < last else "rate"
    if reference is None or abs(value - reference) <= limits.vote_c:
        return ""
    if zone.temp_c is None:  # two against two, or two that disagree: the limit thermocouple may find a second witness
        return "disagrees" if _another_sides_with(values, index, reference, limits) else ""
    nearer = zone.limit_c is not None and abs(value - zone.limit_c) < abs(reference - zone.limit_c)
    return "" if nearer else "disagrees"  # whom the limit thermocouple backs may be the one that is right


def _another_sides_with(values: Readings, index: int, limit_c: float, limits: Limits) -> bool:
    """Return whether another thermocouple of the zone agrees with the limit's: two that agree against one that does not."""
    first = index - index % 4
    others = (values[place] for place in range(first, first + 3) if place != index)
    return any(other is not None and abs(other - limit_c) <= 0.5 * limits.vote_c for other in others)


def _jumped(limits: Limits, moved_c: float, in_s: float) -> bool:
    """Return whether a reading has moved faster than any wall can."""
    return in_s <= GAP_S and abs(moved_c) > JUMP_C + limits.rate_c_per_min * in_s / 60.0


# ---- what time tells ----


def _look(known: Believed, limits: Limits, inputs: Inputs, process: Process, values: Readings, latched: bool) -> Believed:
    at_s = inputs.at_s
    in_s = at_s - known.looked_s
    fresh = not LOOK_S <= in_s <= GAP_S  # nobody looked for long, or the clock went back
    known = _followed(known, values, fresh, in_s)
    out = [one for one in known.out if _stays_out(one, limits, latched)]
    out = [_agreeing(one, limits, process, values, 0.0 if fresh else in_s) for one in out]
    known = known._replace(out=tuple(out))
    if not fresh:
        known = _stuck(known, limits, at_s)
    known = _gas(known, limits, inputs, process, 0.0 if fresh else in_s)
    known = _load(known, limits, inputs, process)
    echo = inputs.echo_counter.value
    looks = known.echo_looks + 1 if echo == known.echo and echo is not None else 0
    return known._replace(looked_s=at_s, echo=echo, echo_looks=min(looks, 2 * ECHO_LOOKS))


def _followed(known: Believed, values: Readings, fresh: bool, in_s: float) -> Believed:
    """Return ``known`` with the readings of this look, raw and smoothed; of one in doubt it keeps what was."""
    if fresh:
        return known._replace(last_c=values, smooth_c=values, mark_c=values, low_c=values, high_c=values)
    share = in_s / (SMOOTH_S + in_s)
    last = tuple([was if doubt else value for value, was, doubt in zip(values, known.last_c, known.doubt, strict=True)])
    smooth = [
        value if mean is None or value is None else mean + share * (value - mean)
        for value, mean in zip(last, known.smooth_c, strict=True)
    ]  # fmt: skip
    low = [now if was is None or now is None else min(was, now) for was, now in zip(known.low_c, last, strict=True)]
    high = [now if was is None or now is None else max(was, now) for was, now in zip(known.high_c, last, strict=True)]
    return known._replace(last_c=last, smooth_c=tuple(smooth), low_c=tuple(low), high_c=tuple(high))


def _moves(before: Readings, now: Readings, by_c: float) -> bool:
    """Return whether a reading has moved by ``by_c`` or more, has gone or has come."""
    return any(
        value is not was if value is None or was is None else not -by_c < value - was < by_c for was, value in zip(before, now, strict=True)
    )


def _stays_out(one: VotedOut, limits: Limits, latched: bool) -> bool:
    return one.agreed_s < limits.rejoin_s or (one.why in ABRUPT and latched)


def _agreeing(one: VotedOut, limits: Limits, process: Process, values: Readings, in_s: float) -> VotedOut:
    """Return ``one`` with the time for which it has agreed with its zone: nearer than half of what the vote allows."""
    index = FIELDS.index(one.field)
    value, reference = values[index], _reference(process.zones[index // 4])
    agrees = value is not None and reference is not None and abs(value - reference) <= 0.5 * limits.vote_c
    if not agrees:
        return one._replace(agreed_s=0.0)
    return one._replace(agreed_s=min(one.agreed_s + in_s, limits.rejoin_s))


def _add(known: Believed, found: list[tuple[int, str]], at_s: float) -> Believed:
    gone = {one.field: one for one in known.out}
    for index, why in found:
        field = FIELDS[index]
        was = gone.get(field)
        gone[field] = VotedOut(field, why, at_s) if was is None else was._replace(agreed_s=0.0)
    return known._replace(out=tuple(gone.values())) if found else known


def _stuck(known: Believed, limits: Limits, at_s: float) -> Believed:
    """Vote out what stands still while two others that should move with it do: its zone's thermocouples, the limit's, the other zones.

    Two are asked for because one that moves alone may be the one that lies.
    """
    if None not in known.mark_c and not _moves(known.mark_c, known.smooth_c, limits.stuck_move_c):
        return known
    smooth, mark, low, high = known.smooth_c, list(known.mark_c), list(known.low_c), list(known.high_c)
    gone = {one.field for one in known.out}
    found: list[tuple[int, str]] = []
    span = [None if bottom is None or top is None else top - bottom for bottom, top in zip(low, high, strict=True)]
    moved = [  # the smoothed reading lags behind a ramp: where that ends it catches up, and nothing has moved beyond the readings' span
        None if now is None or was is None or wide is None or field in gone else max(-wide, min(now - was, wide))
        for field, now, was, wide in zip(FIELDS, smooth, known.mark_c, span, strict=True)
    ]
    for zone in (0, 1, 2):
        first = 4 * zone
        others = [_middle(moved[4 * other : 4 * other + 3]) for other in (0, 1, 2) if other != zone]
        witnesses = [*moved[first : first + 4], min((one for one in others if one is not None), key=abs, default=None)]
        found += _still(span[first : first + 3], witnesses, first, limits.stuck_move_c)
        if _way(witnesses, limits.stuck_move_c):
            mark[first : first + 4] = smooth[first : first + 4]
            low[first : first + 4] = high[first : first + 4] = known.last_c[first : first + 4]
    mark = [now if was is None else was for was, now in zip(mark, smooth, strict=True)]
    return _add(known._replace(mark_c=tuple(mark), low_c=tuple(low), high_c=tuple(high)), found, at_s)


def _still(span: list[float | None], witnesses: list[float | None], first: int, move_c: float) -> list[tuple[int, str]]:
    """Return which of a zone's control thermocouples stand still.

    Two witnesses must have moved the same way, and one of them must be the limit thermocouple, or the other zones where it gives no
    reading: two control thermocouples that drift together make no liar of the third.
    """
    way = _way(witnesses, move_c)
    apart = witnesses[3] if witnesses[3] is not None else witnesses[4]
    if apart is None or way == 0 or apart * way < move_c:
        return []
    return [(first + place, "stuck") for place, moved in enumerate(span) if moved is not None and moved < STILL_SHARE * move_c]


def _way(moves: list[float | None], move_c: float) -> int:
    """Return 1 when two or more have risen by ``move_c``, -1 when they have fallen, 0 when neither."""
    if sum(one is not None and one >= move_c for one in moves) >= 2:
        return 1
    return -1 if sum(one is not None and one <= -move_c for one in moves) >= 2 else 0


def _middle(moves: list[float | None]) -> float | None:
    seen = sorted(one for one in moves if one is not None)
    return seen[len(seen) // 2] if seen else None


def _gas(known: Believed, limits: Limits, inputs: Inputs, process: Process, in_s: float) -> Believed:
    """Return ``known`` with what the O2 analyser has had and shown: it settles after a pause, and never stands still to the last bit."""
    if not o2_flows(limits, inputs, process.pressure_mbar):
        return known._replace(o2_from_s=inputs.at_s + limits.o2_settle_s, o2_pct=None, o2_still_s=0.0)
    value = inputs.o2_pct.value
    still_s = known.o2_still_s + in_s if value is not None and value == known.o2_pct else 0.0
    return known._replace(o2_pct=value, o2_still_s=min(still_s, limits.o2_frozen_s))


def _load(known: Believed, limits: Limits, inputs: Inputs, process: Process) -> Believed:
    """Return ``known`` with the judgement that nothing warms above the walls that heat it (I22R); the load's middle reading counts."""
    load = _middle([inputs.load_outer_c.value, inputs.load_edge_c.value, inputs.load_core_c.value])
    if load is None or process.zone_max_c is None or load <= process.zone_max_c + limits.load_above_c:
        return known if known.load_mark_c is None else known._replace(load_mark_c=None, zones_low=False)
    mark = load if known.load_mark_c is None else min(load, known.load_mark_c)
    return known._replace(load_mark_c=mark, zones_low=known.zones_low or load >= mark + LOAD_RISE_C)


def told(before: Believed, after: Believed) -> tuple[str, ...]:
    """Return who was voted out, and who came back, in sentences for the journal."""
    if before.out == after.out:
        return ()
    was, now = {one.field: one for one in before.out}, {one.field: one for one in after.out}
    left = [f"{SIGNALS[field].name} voted out: {one.why}" for field, one in now.items() if field not in was]
    back = [f"{SIGNALS[field].name} counts again" for field in was if field not in now]
    return (*left, *back)
