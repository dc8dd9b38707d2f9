"""Walk the table once per scan: delays, latches, first-out; then limit what the scan wanted to write."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import compress
from typing import Annotated, Final, NamedTuple

from pydantic import PlainSerializer

from controller.equipment import Equipment
from controller.image import Inputs, Mode, Outputs, Process
from controller.interlocks.bypass import BY_ID as BY_ID
from controller.interlocks.bypass import Bypass, names
from controller.interlocks.rule import BLOCKS_START, Condition, Effect, Reset, Rule, Slopes, View
from controller.interlocks.table import RULES

SLOPE_FILTER_S: Final = 60.0
STOPPING: Final = Effect.ABORT | Effect.HOLD
_NONE: Final = tuple(0.0 for _ in RULES)
_ABORT, _HOLD, _NO_HEAT, _NO_VENT, _NO_N2, _SUSPEND, _PURGE, _ISOLATE, _NO_DOOR = (
    int(effect)
    for effect in (
        Effect.ABORT, Effect.HOLD, Effect.NO_HEAT, Effect.NO_VENT, Effect.NO_N2, Effect.SUSPEND, Effect.PURGE,
        Effect.ISOLATE, Effect.NO_DOOR,
    )
)  # fmt: skip


class Change(NamedTuple):
    """A rule that was raised, cleared or acknowledged in this scan."""

    rule: Rule
    event: str  # raise, clear or ack
    value: object
    first_out: bool


Names = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]  # in order, so that equal memories are equal bytes


class InterlockMemory(NamedTuple):
    """What the evaluator keeps: how long each row's cause has stood, which rows are active, which are acknowledged."""

    stood_s: tuple[float, ...] = _NONE
    active: Names = frozenset()
    cause: Names = frozenset()  # rows whose cause stands now, latched or not
    first_out: str = ""
    slopes: Slopes = Slopes()
    bypassed: tuple[Bypass, ...] = ()


class Verdict(NamedTuple):
    """What the interlocks say of this scan; they have the last word on the outputs."""

    effects: int = 0
    active: tuple[str, ...] = ()
    first_out: str = ""

    @property
    def abort(self) -> bool:
        """Return whether the batch must be aborted."""
        return bool(self.effects & _ABORT)

    @property
    def hold(self) -> bool:
        """Return whether the batch must be held."""
        return bool(self.effects & _HOLD)

    @property
    def suspend(self) -> bool:
        """Return whether the sequence waits for something outside, to go on by itself."""
        return bool(self.effects & _SUSPEND)

    @property
    def heat(self) -> bool:
        """Return whether heat is permitted."""
        return not self.effects & _NO_HEAT

    @property
    def start(self) -> bool:
        """Return whether a batch may start: no row forbids it, and none would stop it in its first scan."""
        return not self.effects & _BLOCKS_START

    @property
    def purge(self) -> bool:
        """Return whether the chamber must be filled with N2 now."""
        return bool(self.effects & _PURGE)

    def blocking(self, effect: Effect) -> tuple[str, ...]:
        """Return the active rows with ``effect``: the answer to "why can't I"."""
        return tuple(rule for rule in self.active if BY_ID[rule].effect & effect)

    def explained(self, effect: Effect) -> str:
        """Return the active rows with ``effect`` and their texts, for people."""
        return ", ".join(f"{rule} ({BY_ID[rule].text})" for rule in self.blocking(effect))

    def limit(self, wanted: Outputs, equipment: Equipment, inputs: Inputs) -> Outputs:
        """Return ``wanted`` as far as it is allowed: the last word before the wire."""
        effects = self.effects
        top, sp = equipment.max_c, wanted.zone_sp_c
        heat = wanted.heat_enable and not effects & _NO_HEAT and not effects & _ABORT
        n2 = wanted.n2_valve and not effects & _NO_N2
        # A valve pair that must never be open together: the new one waits for the other's feedback.
        vacuum = wanted.vac_valve and not effects & _ISOLATE and not n2 and not wanted.vent_valve and inputs.n2_valve_closed.value is True
        n2 = n2 and inputs.vac_valve_closed.value is True
        air = not effects & _NO_VENT
        return wanted._replace(
            mode=Mode.ABORT if effects & _ABORT and wanted.batch_id else wanted.mode,
            heat_enable=heat,
            zone_sp_c=(min(sp[0], top), min(sp[1], top), min(sp[2], top)),
            zone_op_pct=wanted.zone_op_pct if heat else (0.0, 0.0, 0.0),
            rate_limit_c_per_min=min(wanted.rate_limit_c_per_min, equipment.max_rate_c_per_min),
            vac_valve=vacuum,
            n2_valve=n2,
            n2_flow_sp_nm3_h=min(wanted.n2_flow_sp_nm3_h, equipment.max_n2_flow_nm3_h) if n2 else 0.0,
            vent_valve=wanted.vent_valve and air and inputs.vac_valve_closed.value is True and inputs.n2_valve_closed.value is True,
            door_release=wanted.door_release and air and not effects & _NO_DOOR,
        )


def evaluate(
    memory: InterlockMemory, view: View, reset: bool, acknowledge: bool | frozenset[str]
) -> tuple[InterlockMemory, Verdict, tuple[Change, ...]]:
    """Return the memory after this scan, the verdict and what changed.

    A row becomes active when its cause has stood for its delay. It clears with its cause (AUTO), when the cause is gone and
    ``acknowledge`` or ``reset`` comes (OPERATOR), or when the cause is gone and ``reset`` comes (MANUAL). A bypassed row has no effect and
    is not active; its cause is still watched, so that it acts at once when the bypass ends.
    """
    dt_s, was_s = view.inputs.dt_s, memory.stood_s
    if view.inputs.plc_alive.value is None:  # a lost wire is no pressed emergency stop: what stood stays, nothing new is read into silence
        standing = _WITHOUT_PLC.standing(view)
        stood_s = [0.0 if rule.without_plc else stood for rule, stood in zip(RULES, was_s, strict=True)]
        cause = {rule for rule in memory.cause if not BY_ID[rule].without_plc}
    else:
        standing, stood_s, cause = _ALL.standing(view), list(_NONE), set()
    for index in standing:
        rule = RULES[index]
        stood_s[index] = was_s[index] + dt_s
        if stood_s[index] >= (rule.delay_s(view.limits) if callable(rule.delay_s) else rule.delay_s):
            cause.add(rule.id)
    latched = [rule for rule in memory.active - cause if not _clears(BY_ID[rule], reset, acknowledge)]
    active = frozenset(cause.union(latched))
    if memory.bypassed:
        active -= names(memory.bypassed)
    effects, ranked = _summed(active)
    changes, first_out = _changes(memory, view, active, effects)
    verdict = Verdict(effects, ranked, first_out)
    after = slopes(memory.slopes, view.process, dt_s)
    return InterlockMemory(tuple(stood_s), active, frozenset(cause), first_out, after, memory.bypassed), verdict, changes


def afresh(memory: InterlockMemory) -> InterlockMemory:
    """Return what a restarted core keeps: latches and the first-out, but no delay that has run and no bypass.

    Rows that this release does not know are left out.
    """
    known = BY_ID.keys()
    first_out = memory.first_out if memory.first_out in known else ""
    return InterlockMemory(
        active=memory.active.intersection(known), cause=memory.cause.intersection(known), first_out=first_out, slopes=memory.slopes
    )


def _written_out(conditions: Sequence[Condition]) -> Callable[[View], tuple[bool | None, ...]]:
    """Return ``lambda view: (c0(view), c1(view), ...)``: each function has a place of its own, which halves the time."""
    names = {f"c{index}": condition for index, condition in enumerate(conditions)}
    found: Callable[[View], tuple[bool | None, ...]] = eval(f"lambda view: ({''.join(f'{name}(view), ' for name in names)})", names)
    return found


class _Walk:
    """The rows that are judged in one scan, taken apart once."""

    def __init__(self, indices: Sequence[int]) -> None:
        self._indices = indices
        self._judge = _written_out([RULES[index].when for index in indices])
        self._on_bad = [RULES[index].on_bad for index in indices]

    def standing(self, view: View) -> list[int]:
        """Return the indices of the rows whose cause stands, in table order."""
        found = self._judge(view)
        if None in found:
            found = tuple([on_bad if one is None else one for one, on_bad in zip(found, self._on_bad, strict=True)])
        return list(compress(self._indices, found))


_ALL: Final = _Walk(range(len(RULES)))
_WITHOUT_PLC: Final = _Walk([index for index, rule in enumerate(RULES) if rule.without_plc])
_EFFECTS: Final = {rule.id: int(rule.effect) for rule in RULES}
_RANK: Final = {rule.id: index for index, rule in enumerate(RULES)}
_STOPPING: Final = int(STOPPING)
_BLOCKS_START: Final = int(BLOCKS_START)


@lru_cache(maxsize=1024)
def _summed(active: frozenset[str]) -> tuple[int, tuple[str, ...]]:
    """Return the effects of the active rows together, and the rows in table order; between two changes it is always the same."""
    effects = 0
    for rule in active:
        effects |= _EFFECTS[rule]
    return effects, tuple(sorted(active, key=_RANK.__getitem__))


def _clears(rule: Rule, reset: bool, acknowledge: bool | frozenset[str]) -> bool:
    """Return whether a row whose cause is gone goes away; ``acknowledge`` names the rows, or is all of them or none."""
    acknowledged = acknowledge if isinstance(acknowledge, bool) else rule.id in acknowledge
    return rule.reset is Reset.AUTO or reset or (acknowledged and rule.reset is Reset.OPERATOR)


def _changes(memory: InterlockMemory, view: View, active: frozenset[str], effects: int) -> tuple[tuple[Change, ...], str]:
    first_out = memory.first_out if effects & _STOPPING else ""
    if active == memory.active:
        return (), first_out
    changes = []
    for rule in RULES:  # table order decides between rows that come in the same scan
        if rule.id in active and rule.id not in memory.active:
            first = not first_out and bool(_EFFECTS[rule.id] & _STOPPING)
            first_out = rule.id if first else first_out
            changes.append(Change(rule, "raise", rule.shown(view), first))
        elif rule.id in memory.active and rule.id not in active:
            changes.append(Change(rule, "clear", rule.shown(view), False))
    return tuple(changes), first_out


def slopes(before: Slopes, process: Process, dt_s: float) -> Slopes:
    """Return the zones' filtered slopes, degC/min; a zone without a trusted temperature keeps its last slope."""
    if dt_s <= 0:
        return before
    share = dt_s / (SLOPE_FILTER_S + dt_s)
    z1, z2, z3 = process.zones
    s1, s2, s3 = before.slope_c_per_min
    w1, w2, w3 = before.temp_c
    after = (
        _slope(s1, w1, z1.temp_c, dt_s, share),
        _slope(s2, w2, z2.temp_c, dt_s, share),
        _slope(s3, w3, z3.temp_c, dt_s, share),
    )
    return Slopes(after, (z1.temp_c, z2.temp_c, z3.temp_c))


def _slope(slope_c_per_min: float, was_c: float | None, temp_c: float | None, dt_s: float, share: float) -> float:
    if temp_c is None or was_c is None:
        return slope_c_per_min
    return slope_c_per_min + share * ((temp_c - was_c) / dt_s * 60.0 - slope_c_per_min)
