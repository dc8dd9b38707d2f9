"""One scan as a row of numbers: packed for the journal, unpacked by name, and read as columns.

A payload describes its own layout, so that a journal stays readable when signals are added; the names come from the ``columns`` of the boot
entry before it::

    3 bytes            layout version, number of words (w), number of qualities (q)
    w x binary64       counters and identity words, exact
    n x binary32       everything else; NaN where there is no value
    q x byte           quality of the first q columns (``controller.tags.Quality``); the others are not measured and have none
"""

import math
import struct
from operator import itemgetter
from typing import Final, get_type_hints

from controller.image import SIGNALS, Estimate, Inputs, Interval, Outputs, Setpoints, ZoneEstimate
from controller.tags import Quality, Sample

LAYOUT: Final = 1
POSITIONS: Final = ("core", "middle", "upper", "outer", "edge")  # of the estimate's zones; one that an estimate does not have is NaN
_ENDS: Final = ("", "_low", "_high")
EXTRA: Final[dict[str, str]] = {  # column -> unit
    "sp_temp_c": "degC",
    "sp_pressure_mbar": "mbar",
    "sp_n2_flow_nm3_h": "Nm3/h",
    "z1_sp_c": "degC",
    "z2_sp_c": "degC",
    "z3_sp_c": "degC",
    "film_min_c": "degC",
    "film_max_c": "degC",
    "residual_solvent": "1",  # weight fraction
    "residual_solvent_low": "1",
    "residual_solvent_high": "1",
    "insoluble": "1",
    "insoluble_low": "1",
    "insoluble_high": "1",
    "insoluble_coming": "1",  # that the roll still gains after the CURE, as the rest of the recipe cools it; none without a fresh forecast
    "evolution_kg_h": "kg/h",
    "evolution_low_kg_h": "kg/h",
    "evolution_high_kg_h": "kg/h",
    "p_solvent_ok": "1",
    "p_insoluble_in_window": "1",
    "time_to_endpoint_s": "s",
    "time_to_finish_s": "s",  # as forecast: 50, 5 and 95 %
    "time_to_finish_low_s": "s",
    "time_to_finish_high_s": "s",
    "blister": "1",
    "floor_mbar": "mbar",
    **{f"film_{position}_c": "degC" for position in POSITIONS},
    **{f"residual_{position}{end}": "1" for position in POSITIONS for end in _ENDS},
    **{f"insoluble_{position}{end}": "1" for position in POSITIONS for end in _ENDS},
    "est_valid": "",
    "unit_state": "",
    "phase_index": "",
    "soak_s": "s",
}
_HINTS: Final = get_type_hints(Inputs)
WORDS: Final = tuple(field for field in SIGNALS if _HINTS[field] == Sample[int])
_REST: Final = tuple(field for field in SIGNALS if _HINTS[field] != Sample[int])
COLUMNS: Final = (*WORDS, *_REST, *EXTRA)

_HEADER: Final = struct.Struct("<BBB")
_in_order: Final = itemgetter(*(Inputs._fields.index(field) for field in (*WORDS, *_REST)))
_pack: Final = struct.Struct(f"<BBB{len(WORDS)}d{len(_REST) + len(EXTRA)}f{len(SIGNALS)}s").pack
_NAN: Final = math.nan
_NOTHING: Final = ZoneEstimate("", _NAN, Interval(_NAN, _NAN, _NAN), Interval(_NAN, _NAN, _NAN))
_FLOAT32_MAX: Final = 3.4028234663852886e38


def pack(inputs: Inputs, estimate: Estimate, setpoints: Setpoints, outputs: Outputs, unit_state: int) -> bytes:
    """Return one scan as the payload of a ``sample`` entry; ``unit_state`` is the state's code."""
    values, qualities, _ = zip(*_in_order(inputs), strict=True)
    if None in values:
        values = tuple([_NAN if value is None else value for value in values])
    until_s = estimate.time_to_endpoint_s
    zones = {zone.name: zone for zone in estimate.zones}
    core, middle, upper, outer, edge = [zones.get(position, _NOTHING) for position in POSITIONS]
    extra = (
        setpoints.temp_c,
        setpoints.pressure_mbar,
        setpoints.n2_flow_nm3_h,
        *outputs.zone_sp_c,
        estimate.film_min_c,
        estimate.film_max_c,
        *estimate.residual_solvent,
        *estimate.insoluble,
        estimate.coming if estimate.foreseen else _NAN,
        *estimate.evolution_kg_h,
        estimate.p_solvent_ok,
        estimate.p_insoluble_in_window,
        _NAN if until_s is None else until_s[0],
        *_finish(estimate, inputs.at_s),
        estimate.blister,
        estimate.floor_mbar,
        core.temp_c, middle.temp_c, upper.temp_c, outer.temp_c, edge.temp_c,
        *core.residual_solvent, *middle.residual_solvent, *upper.residual_solvent, *outer.residual_solvent, *edge.residual_solvent,
        *core.insoluble, *middle.insoluble, *upper.insoluble, *outer.insoluble, *edge.insoluble,
        estimate.valid,
        unit_state,
        outputs.phase_index,
        outputs.soak_s,
    )  # fmt: skip
    try:
        return _pack(LAYOUT, len(WORDS), len(SIGNALS), *values, *extra, bytes(qualities))
    except OverflowError:  # a finite number beyond binary32: no such thing exists in the oven, and the scan must go on
        numbers = [value if abs(value) <= _FLOAT32_MAX else math.copysign(math.inf, value) for value in (*values, *extra)]
        return _pack(LAYOUT, len(WORDS), len(SIGNALS), *numbers, bytes(qualities))


def _finish(estimate: Estimate, at_s: float) -> tuple[float, float, float]:
    """Return the time to the end of the batch as the last forecast has it, s: median, 5 and 95 %, at least 0; NaN without one."""
    if estimate.forecast is None:
        return _NAN, _NAN, _NAN
    (value, low, high), gone_s = estimate.forecast.finish_s, at_s - estimate.forecast.made_at_s
    return max(0.0, value - gone_s), max(0.0, low - gone_s), max(0.0, high - gone_s)


def unpack(payload: bytes, columns: tuple[str, ...] = COLUMNS) -> dict[str, float]:
    """Return the values of one sample by column; NaN where there was none.

    Raises:
        ValueError: the payload does not fit ``columns``.
    """
    words, _ = sizes(payload, columns)
    numbers = struct.unpack_from(f"<{words}d{len(columns) - words}f", payload, _HEADER.size)
    return dict(zip(columns, numbers, strict=True))


def unpack_qualities(payload: bytes, columns: tuple[str, ...] = COLUMNS) -> dict[str, Quality]:
    """Return the quality of each measured column of one sample.

    Raises:
        ValueError: the payload does not fit ``columns``.
    """
    _, count = sizes(payload, columns)
    return dict(zip(columns, map(Quality, payload[len(payload) - count :]), strict=False))


def sizes(payload: bytes, columns: tuple[str, ...]) -> tuple[int, int]:
    """Return how many words and how many qualities ``payload`` has.

    Raises:
        ValueError: the payload is of another layout or does not fit ``columns``.
    """
    if len(payload) < _HEADER.size or payload[0] != LAYOUT:
        raise ValueError("this sample is of a layout that this version does not know")
    words, qualities = payload[1], payload[2]
    if len(payload) != _HEADER.size + 8 * words + 4 * (len(columns) - words) + qualities or max(words, qualities) > len(columns):
        raise ValueError(f"this sample of {len(payload)} bytes does not fit {len(columns)} columns")
    return words, qualities


def unit_of(column: str) -> str:
    """Return the unit of a column of this version."""
    return EXTRA[column] if column in EXTRA else SIGNALS[column].unit
