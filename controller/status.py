"""Where the unit stands, read from the journal: for the command line and the demo."""

import json
from collections.abc import Iterator
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Any, Final

from controller.alarms.states import Priority, State
from controller.clock import wall_ns
from controller.interlocks import bypass
from controller.journal import alarms as told
from controller.journal import bypasses, samples
from controller.journal.reader import JournalReader
from controller.recipe.states import FINAL, UnitState

_SAID: Final[dict[State, str]] = {
    state: f" ({state.lower().replace('_', ' ')})" for state in State if state not in (State.NORMAL, State.UNACK, State.ACK)
}
_ENDS_WITH: Final = frozenset({"CURE", "COOL"})
OLD_S: Final = 90.0  # wall: a core that writes puts a checkpoint into the journal each minute
_OVER: Final = frozenset(state.name for state in (*FINAL, UnitState.IDLE))


def read(journal: Path) -> dict[str, Any]:
    """Return the unit's state, phase, main values and active alarms. Raises JournalError when there is no journal."""
    with JournalReader(journal) as reader:
        return now(reader)


def now(reader: JournalReader) -> dict[str, Any]:
    """Return the same through an open reader."""
    shown: dict[str, Any] = {"state": "unknown"}
    stored = reader.last("sample")
    if stored is not None:
        columns = reader.columns(stored.boot)
        values = samples.unpack(stored.payload, columns) if columns is not None else {}
        shown = {
            "state": UnitState(int(values["unit_state"])).name,
            "at_s": stored.at_s,
            "set_point_c": values["sp_temp_c"],
            "zones_c": [values["z1_tc_a_c"], values["z2_tc_a_c"], values["z3_tc_a_c"]],
            "load_c": [values["load_outer_c"], values["load_edge_c"], values["load_core_c"]],
            "pressure_mbar": values["pressure_cap_mbar"],
            "n2_flow_nm3_h": values["n2_flow_nm3_h"],
            "o2_pct": values["o2_pct"],
            "residual_wt_pct": [100 * values[f"residual_solvent{end}"] for end in ("", "_low", "_high")],
            "insoluble_pct": [100 * values[f"insoluble{end}"] for end in ("", "_low", "_high")],
            "insoluble_coming_pct": 100 * values.get("insoluble_coming", 0.0),  # not in the journals of older releases
            "time_to_endpoint_s": values["time_to_endpoint_s"],
            "time_to_finish_s": _known([values.get(f"time_to_finish{end}_s", nan) for end in ("", "_low", "_high")]),
            "blister": values.get("blister"),  # these three are not in the journals of older releases
            "floor_mbar": values.get("floor_mbar"),
            "pressure_rise": _last_rise(reader),
        }
    newest = reader.after(reader.last_seq() - 1, 1)
    shown["written_ago_s"] = (wall_ns() - newest[0].wall_ns) / 1e9 if newest else None
    phase = reader.last("phase")
    if phase is not None and shown["state"] != UnitState.IDLE.name:  # a phase of the last batch
        said = json.loads(phase.payload)
        shown["phase"] = f"{said['index'] + 1} {said['kind']} {said['name']}".strip()
    state = reader.last("state")
    if state is not None and (stored is None or state.seq > stored.seq):
        shown["state"] = json.loads(state.payload)["to"]
    if shown["state"] in _OVER:
        shown["time_to_finish_s"] = None
    standing = reader.last("standing")
    shown["waits_for"] = "" if standing is None else str(standing.fields().get("waits", ""))  # not in the journals of older releases
    shown["alarms"], shown["permissives"] = alarms(reader)
    shown["bypassed"] = list(bypass.banner(bypasses.standing(reader), shown.get("at_s", 0.0)))
    return shown


def plain(found: Any) -> Any:
    """Return ``found`` with nothing (null) for every number that is not finite: JSON has none."""
    if isinstance(found, dict):
        return {name: plain(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [plain(value) for value in found]
    return None if isinstance(found, float) and not isfinite(found) else found


def lines(shown: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each line that a person reads; ``shown`` is what ``now`` returns."""
    if (ago_s := shown.get("written_ago_s") or 0.0) > OLD_S:
        yield "AS IT WAS", f"{ago_s:.0f} s ago: nothing has been written since. Does the core run, and can it write (disk)? Look at its log"
    yield "unit", f"{shown['state']} · {shown.get('phase', '-')}"
    if shown.get("waits_for"):
        yield "waits for", str(shown["waits_for"])
    if "at_s" in shown:
        yield "process time", f"{shown['at_s'] / 3600:.2f} h"
        yield "set point", f"{shown['set_point_c']:.1f} degC"
        yield "zones / load", f"{_numbers(shown['zones_c'])} / {_numbers(shown['load_c'])} degC (load: outer, edge, core)"
        yield "pressure, N2, O2", f"{shown['pressure_mbar']:.1f} mbar, {shown['n2_flow_nm3_h']:.0f} Nm3/h, {shown['o2_pct']:.3f} vol%"
        yield "residual solvent", "{:.2f} wt% [{:.2f}, {:.2f}]  worst zone".format(*shown["residual_wt_pct"])
        yield "insoluble content", "{:.0f} % [{:.0f}, {:.0f}]".format(*shown["insoluble_pct"]) + _cold(shown)
        left_s = shown["time_to_endpoint_s"]
        yield "to the endpoint", "-" if isnan(left_s) else f"{left_s / 60:.0f} min"
        fan_s = shown.get("time_to_finish_s")
        yield "to the finish", "-" if fan_s is None else "{:.0f} min [{:.0f}, {:.0f}]".format(*(end_s / 60 for end_s in fan_s))
        yield "blister number", _blister(shown["blister"], shown["floor_mbar"])
        yield "pressure-rise test", _rise(shown["pressure_rise"], shown["at_s"])
    for banner in shown.get("bypassed", ()):
        yield "BYPASS", banner
    yield "alarms", "; ".join(shown["alarms"]) or "none"
    if shown["permissives"]:
        yield "not permitted by", ", ".join(shown["permissives"])


def _cold(shown: dict[str, Any]) -> str:
    """Return what the insoluble content will be once the roll is cold, where that is another number: before the CURE nobody knows."""
    coming_pct = shown.get("insoluble_coming_pct", 0.0) if _ENDS_WITH & set(shown.get("phase", "").split()) else 0.0
    return f", {shown['insoluble_pct'][0] + coming_pct:.0f} % once cold" if coming_pct >= 0.5 else ""


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def _known(values: list[float]) -> list[float] | None:
    return None if any(map(isnan, values)) else values


def _blister(blister: float | None, floor_mbar: float | None) -> str:
    if blister is None or floor_mbar is None or isnan(blister):
        return "-"
    return f"{blister:.2f}, pressure floor {floor_mbar:.1f} mbar" if blister > 0 else "0, nothing rubbery"


def _rise(rise: dict[str, Any] | None, at_s: float) -> str:
    if rise is None:
        return "none in this batch"
    said = f"{rise['solvent_kg_h']:.2g} ± {rise['solvent_sd_kg_h']:.2g} kg/h of solvent, leak {rise['leak_mbar_min']:.2g} mbar/min"
    doubt = "" if rise["valid"] else f", not valid: {rise['why_invalid']}"
    return f"{said}, {(at_s - rise['at_s']) / 60:.0f} min ago{doubt}"


def _last_rise(reader: JournalReader) -> dict[str, Any] | None:
    """Return the result of the last pressure-rise test of the newest batch, None when it has none."""
    rise, start = reader.last("pressure_rise"), reader.last("batch_start")
    return None if rise is None or start is None or rise.seq < start.seq else rise.fields()


def alarms(reader: JournalReader) -> tuple[list[str], list[str]]:
    """Return the alarms that are not normal, what nobody has seen first, with the state of one that is not simply active; and permissives.

    A permissive is in the way of a start, of heat or of air and is no alarm: it stands in every calm oven.
    """
    listed = told.standing(reader)
    raised = [f"{one.rule} {one.text}{_SAID.get(one.state, '')}" for one in listed if one.priority != Priority.JOURNAL.value]
    return raised, [one.rule for one in listed if one.priority == Priority.JOURNAL.value]
