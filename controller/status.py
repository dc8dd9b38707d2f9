"""Where the unit stands, read from the journal: for the command line and the demo."""

import json
from pathlib import Path
from typing import Any

from controller.journal import samples
from controller.journal.reader import JournalReader
from controller.recipe.states import UnitState


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
            "time_to_endpoint_s": values["time_to_endpoint_s"],
        }
    phase = reader.last("phase")
    if phase is not None:
        said = json.loads(phase.payload)
        shown["phase"] = f"{said['index']} {said['kind']} {said['name']}".strip()
    state = reader.last("state")
    if state is not None and (stored is None or state.seq > stored.seq):
        shown["state"] = json.loads(state.payload)["to"]
    shown["alarms"] = alarms(reader)
    return shown


def alarms(reader: JournalReader) -> list[str]:
    """Return the rules that stand raised, oldest first."""
    standing: dict[str, str] = {}
    seq = 0
    while page := reader.after(seq, 1000, ["alarm"]):
        for stored in page:
            said = json.loads(stored.payload)
            if said["event"] == "raise":
                standing[said["rule"]] = said["text"]
            elif said["event"] == "clear":
                standing.pop(said["rule"], None)
        seq = page[-1].seq
    return [f"{rule} {text}" for rule, text in standing.items()]
