"""The variables of the address space as one table, made from the signals' own lines and the journal's columns."""

from enum import StrEnum
from typing import Final, NamedTuple, get_type_hints

from controller.image import SIGNALS, Inputs
from controller.tags import Sample

# unit -> UNECE Recommendation 20 code, from which OPC UA makes its unit id; "" where the standard has none
UNECE: Final[dict[str, str]] = {
    "degC": "CEL", "mbar": "MBR", "bar": "BAR", "%": "P1", "vol%": "P1", "wt%": "P1", "s": "SEC", "min": "MIN", "kg": "KGM", "kg/h": "E93",
    "m3/h": "MQH", "l/min": "L2", "m3": "MTQ", "m": "MTR", "mm": "MMT", "um": "4H", "1": "C62", "Nm3": "", "Nm3/h": "", "degC/min": "",
}  # fmt: skip


class Kind(StrEnum):
    """What a variable holds."""

    NUMBER = "Double"
    BIT = "Boolean"
    WORD = "UInt32"
    TEXT = "String"
    NUMBERS = "Double[]"
    TEXTS = "String[]"


class Variable(NamedTuple):
    """One variable. ``column`` is the journal's, "" for what other entries tell; ``factor`` and ``plus`` turn the column into ``unit``."""

    part: str
    name: str
    kind: Kind
    unit: str
    low: float
    high: float
    text: str
    column: str = ""
    factor: float = 1.0
    plus: float = 0.0

    @property
    def id(self) -> str:
        """Return the node's identifier in the oven's namespace."""
        return f"Oven.{self.part}.{self.name}"

    @property
    def has_history(self) -> bool:
        """Return whether the journal keeps it with every sample."""
        return bool(self.column)


_HINTS: Final = get_type_hints(Inputs)
_KINDS: Final = {Sample[float]: Kind.NUMBER, Sample[bool]: Kind.BIT, Sample[int]: Kind.WORD}


def _process() -> tuple[Variable, ...]:
    return tuple(
        Variable("Process", field, _KINDS[_HINTS[field]], tag.unit, tag.low, tag.high, f"{tag.name}: {tag.text}", field)
        for field, tag in SIGNALS.items()
    )


def _number(part: str, name: str, column: str, unit: str, low: float, high: float, text: str, factor: float = 1.0) -> Variable:
    return Variable(part, name, Kind.NUMBER, unit, low, high, text, column, factor)


def _band(name: str, column: str, unit: str, high: float, text: str, factor: float, ends: tuple[str, str, str]) -> tuple[Variable, ...]:
    """Return a belief as three variables: median, 5 % and 95 % point."""
    points = ("", "Low", "High")
    said = (text, f"{text}: 5 % point", f"{text}: 95 % point")
    return tuple(_number("Estimate", name + points[at], ends[at], unit, 0, high, said[at], factor) for at in range(3))


def _ends(column: str) -> tuple[str, str, str]:
    return column, f"{column}_low", f"{column}_high"


def _text(part: str, name: str, text: str, kind: Kind = Kind.TEXT) -> Variable:
    return Variable(part, name, kind, "", 0, 0, text)


_EVOLUTION: Final = ("evolution_kg_h", "evolution_low_kg_h", "evolution_high_kg_h")
_FINISH: Final = ("time_to_finish_s", "time_to_finish_low_s", "time_to_finish_high_s")

UNIT: Final = (
    _text("Unit", "State", "IDLE RUNNING HOLDING HELD RESTARTING STOPPING STOPPED ABORTING ABORTED COMPLETE"),
    _number("Unit", "StateCode", "unit_state", "", 0, 9, "the same as a number, in that order"),
    Variable("Unit", "Segment", Kind.NUMBER, "", 1, 200, "number of the running phase in the recipe, from 1", "phase_index", plus=1.0),
    _text("Unit", "Phase", "kind and name of the running phase"),
    _number("Unit", "SoakTime", "soak_s", "s", 0, 1e6, "soak time counted in this phase"),
    _text("Unit", "Waiting", "what the phase waits for or asks, and interlock rows that stand; empty: nothing is waited for"),
    _text("Unit", "FirstOut", "row that came first"),
    _text("Unit", "BatchId", "number of the batch, 0 before the first"),
    _text("Unit", "Recipe", "recipe id and revision of the batch"),
    _text("Unit", "RecipeSha256", "SHA-256 of what runs"),
    _text("Unit", "RollIds", "rolls in the oven", Kind.TEXTS),
    _text("Unit", "StartedBy", "who started the batch"),
    _number("Unit", "TemperatureSetPoint", "sp_temp_c", "degC", 0, 400, "ramped set point of the load"),
    _number("Unit", "PressureSetPoint", "sp_pressure_mbar", "mbar", 0, 1200, "set point of the chamber pressure"),
    _number("Unit", "NitrogenSetPoint", "sp_n2_flow_nm3_h", "Nm3/h", 0, 200, "set point of the N2 flow"),
    *(_number("Unit", f"Zone{zone}SetPoint", f"z{zone}_sp_c", "degC", 0, 400, f"set point of zone {zone}") for zone in (1, 2, 3)),
)
ESTIMATE: Final = (
    *_band("ResidualSolvent", "", "wt%", 100, "residual solvent of the worst position", 100.0, _ends("residual_solvent")),
    *_band("InsolubleContent", "", "%", 100, "NMP-insoluble content, mean of the roll", 100.0, _ends("insoluble")),
    _number("Estimate", "InsolubleContentComing", "insoluble_coming", "%", 0, 100, "what it still gains as the roll cools", 100.0),
    *_band("Evolution", "", "kg/h", 100, "solvent that leaves the roll", 1.0, _EVOLUTION),
    *_band("TimeToFinish", "", "s", 1e6, "time to the end of the batch as forecast", 1.0, _FINISH),
    _number("Estimate", "ProbabilitySolvent", "p_solvent_ok", "1", 0, 1, "P(residual solvent low enough)"),
    _number("Estimate", "ProbabilityInWindow", "p_insoluble_in_window", "1", 0, 1, "P(insoluble content in the recipe's window)"),
    _number("Estimate", "TimeToEndpoint", "time_to_endpoint_s", "s", 0, 1e6, "time to the endpoint"),
    _number("Estimate", "FilmMin", "film_min_c", "degC", 0, 400, "coldest film"),
    _number("Estimate", "FilmMax", "film_max_c", "degC", 0, 400, "hottest film"),
    _number("Estimate", "BlisterNumber", "blister", "1", 0, 10, "solvent pressure at the foil over the chamber's while rubbery"),
    _number("Estimate", "PressureFloor", "floor_mbar", "mbar", 0, 1200, "pressure below which it would pass 0.8"),
    Variable("Estimate", "Valid", Kind.BIT, "", 0, 1, "the estimate may be used", "est_valid"),
    _text("Estimate", "ForecastAhead", "forecast: seconds after it was made", Kind.NUMBERS),
    *(
        _text("Estimate", f"Forecast{name}{end}", f"forecast: {text}{said}", Kind.NUMBERS)
        for name, text in (
            ("Temperature", "film temperature, degC"), ("ResidualSolvent", "residual solvent, wt%"), ("Insoluble", "insoluble content, %"))
        for end, said in (("", ", median"), ("Low", ", 5 % point"), ("High", ", 95 % point"))
    ),
)  # fmt: skip
IDENTIFICATION: Final = tuple(
    _text("Identification", name, text)
    for name, text in (
        ("Manufacturer", "of the controller"), ("Model", "of the controller"), ("SoftwareRevision", "of the controller"),
        ("ProductInstanceUri", "this oven's own name"), ("SerialNumber", "of the PLC"), ("DeviceClass", "what it is"))
)  # fmt: skip
HISTORY: Final = (_text("History", "LastEntry", "number of the journal's newest entry"), _text("History", "LastSample", "its time, UTC"))
RECIPES: Final = (_text("Recipes", "Approved", "recipes that may be started: id/revision", Kind.TEXTS),
                  _text("Recipes", "PublicKey", "Ed25519 key with which approvals are verified, hex"))  # fmt: skip
SECURITY: Final = (
    _text("Security", "Sessions", "user, role and application of each open session", Kind.TEXTS),
    *(_text("Security", name, text) for name, text in (
        ("RefusedConnections", "connections beyond the bounds"), ("RefusedApplications", "certificates that are not trusted"),
        ("RefusedLogins", "users that were refused"), ("Denials", "services and methods refused to a role"))),
)  # fmt: skip
VARIABLES: Final = (*IDENTIFICATION, *_process(), *UNIT, *ESTIMATE, *HISTORY, *RECIPES, *SECURITY)
BY_ID: Final = {variable.id: variable for variable in VARIABLES}


def unit_id(unit: str) -> int:
    """Return the OPC UA unit id of ``unit`` (its UNECE code's letters as bytes), -1 where there is no code."""
    code = UNECE.get(unit, "")
    return int.from_bytes(code.encode("ascii"), "big") if code else -1
