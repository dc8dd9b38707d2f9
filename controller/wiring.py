"""Where each signal lies in the PLC: one line of ``deploy/wiring.toml`` per signal, compiled to a decoder.

``Wiring.decode`` turns the registers of one reading into Inputs; a soft PLC writes them by the same file. On OPC UA a signal is a node
instead: ``Wiring.nodes`` says which.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import repeat
from operator import ge, itemgetter, le, mul
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from controller import block
from controller.errors import FileError, Problem
from controller.image import OWN_SIGNALS, SIGNALS, Inputs
from controller.tags import Quality, Sample
from controller.validation import problems_of, read_toml

Kind = Literal["bool", "u16", "i16", "u32", "f32"]
_CODE: Final = {"u16": "H", "i16": "h", "u32": "I", "f32": "f"}
_WIDTH: Final = {"bool": 1, "u16": 1, "i16": 1, "u32": 2, "f32": 2}
_INTEGERS: Final = frozenset({"plc_signature", "plc_map_version", "plc_serial", "plc_alive", "plc_boot_id", "plc_state", "plc_reason",
                              "plc_heat_block", "plc_lease", "echo_epoch", "echo_counter", "echo_crc"})  # fmt: skip
MAX_REGISTERS: Final = 125  # of one Modbus read


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


NodeName = Annotated[str, StringConstraints(pattern=r"^(i=[0-9]{1,10}|[sgb]=\S[^\r\n]{0,199})$")]  # the identifier of a NodeId


class Place(_Strict):
    """Where one signal lies. ``at`` is ``register`` or, for a bool, ``register.bit``; ``absent`` says that this oven has none.

    ``type``, ``scale`` and ``word_order`` are the registers'; a ``node`` (OPC UA) holds the engineering value.
    """

    at: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,5}(\.[0-9]{1,2})?$")] | None = None
    node: NodeName | None = None
    type: Kind = "f32"
    scale: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    word_order: Literal["big", "little"] = "big"
    absent: bool = False

    @property
    def register(self) -> int:
        """Return the register's offset in the image."""
        return int((self.at or "0").split(".")[0])

    @property
    def bit(self) -> int:
        """Return the bit of a bool."""
        parts = (self.at or "0").split(".")
        return int(parts[1]) if len(parts) > 1 else 0


class Nodes(_Strict):
    """Where the PLC's OPC UA server has its nodes, all in the namespace of one URI; its index is looked up at each connect."""

    namespace: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    signal: NodeName = "s=Oven.{signal}"  # of every signal without a `node` of its own
    begun: NodeName = "s=Oven.begun"  # the alive counter to come, written before everything else of an image
    command: NodeName = "s=Oven.command"  # the whole command block, UInt16[]


class WiringFile(_Strict):
    """``wiring.toml`` as written."""

    map_version: Annotated[int, Field(ge=1, le=65535)]
    plc_serial: Annotated[int, Field(ge=0, le=0xFFFF_FFFF)]
    unit_id: Annotated[int, Field(ge=0, le=247)] = 1
    image_at: Annotated[int, Field(ge=0, le=65535)] = 0
    block_at: Annotated[int, Field(ge=0, le=65535)] = 0
    opcua: Nodes | None = None
    signals: dict[str, Place]


class Wiring:
    """A compiled wiring file.

    ``image`` is read from input registers (function 4) in one request, the command block is written to holding registers (function 16).

    Decoding follows a plan made once: what can be out of range (``measured``) and what cannot (``whole``: counters and codes) are unpacked
    apart, bits and absent signals follow, and ``_in_order`` picks the samples of all four in the order of Inputs.
    """

    def __init__(self, file: WiringFile) -> None:
        """Compile ``file``; the caller has checked it (see ``load``)."""
        self.file = file
        present = {name: place for name, place in file.signals.items() if not place.absent and place.at is not None}
        self.registers = max((place.register + _WIDTH[place.type] for place in present.values()), default=0)  # 0: on OPC UA only
        self._bytes = struct.Struct(f">{self.registers}H")
        words = sorted((name for name, place in present.items() if place.type != "bool"), key=lambda name: present[name].register)
        self._swaps = [
            place.register for place in (present[name] for name in words) if place.word_order == "little" and _WIDTH[place.type] == 2
        ]
        self._compile_decoder(words, present)

    def _compile_decoder(self, words: list[str], present: Mapping[str, Place]) -> None:
        whole = [name for name in words if name in _INTEGERS and present[name].type in ("u16", "u32")]
        measured = [name for name in words if name not in whole]
        bits = [name for name, place in present.items() if place.type == "bool"]
        absent = [name for name in SIGNALS if name not in present and name not in OWN_SIGNALS]
        self._unpack_measured, self._unpack_whole = (_struct(names, present).unpack_from for names in (measured, whole))
        self._lows, self._highs = [SIGNALS[name].low for name in measured], [SIGNALS[name].high for name in measured]
        self._scaled_at = [at for at, name in enumerate(measured) if present[name].scale != 1.0 and name not in _INTEGERS]
        self._pick_scaled, self._factors = _picker(self._scaled_at), [present[measured[at]].scale for at in self._scaled_at]
        registers = sorted({present[name].register for name in bits})
        places = [(registers.index(present[name].register), 1 << present[name].bit) for name in bits]
        self._bit_registers = _picker(registers)
        self._choose = lru_cache(maxsize=_CHOICES)(partial(_choice, places, len(absent)))
        found = {name: at for at, name in enumerate((*measured, *whole, *bits, *absent, *OWN_SIGNALS))}
        self._in_order = itemgetter(*(found[name] for name in SIGNALS))

    @property
    def nodes(self) -> dict[str, str]:
        """Return the identifier of each present signal's node, in the order of Inputs; empty when the file names no OPC UA nodes."""
        opcua, signals = self.file.opcua, self.file.signals
        if opcua is None:
            return {}
        names = [name for name in SIGNALS if name in signals and not signals[name].absent]
        return {name: signals[name].node or opcua.signal.replace("{signal}", name) for name in names}

    def decode(self, registers: Sequence[int], at_s: float, dt_s: float, own: Mapping[str, Sample[float]]) -> Inputs:
        """Return the image that ``registers`` (``self.registers`` of them, read at ``at_s``) hold.

        ``own`` gives the signals made in the core (``OWN_SIGNALS``). A float that is NaN is an open or shorted sensor, a value outside the
        tag's range is BAD_RANGE; both come without a value.
        """
        if self._swaps:
            registers = self._swapped(registers)
        raw = self._bytes.pack(*registers)
        values = list(self._unpack_measured(raw))
        for at, value in zip(self._scaled_at, map(mul, self._pick_scaled(values), self._factors), strict=True):
            values[at] = value
        samples = list(map(_new, _SAMPLE, zip((*values, *self._unpack_whole(raw)), repeat(_GOOD), repeat(at_s))))
        if not (all(map(le, self._lows, values)) and all(map(ge, self._highs, values))):  # NaN compares false with everything
            self._take_back(samples, at_s)
        choice = self._choose(self._bit_registers(registers))
        samples += choice((_new(Sample, (False, _GOOD, at_s)), _new(Sample, (True, _GOOD, at_s)), _new(Sample, (None, _ABSENT, at_s))))
        samples += _pick_own(own)
        return _new(Inputs, (at_s, dt_s, *self._in_order(samples)))

    def _take_back(self, samples: list[Sample[float]], at_s: float) -> None:
        """Take the value from every measured sample that shows none of its tag's range."""
        for at, ((value, _, _), low, high) in enumerate(zip(samples, self._lows, self._highs, strict=False)):
            if value is not None and not low <= value <= high:
                samples[at] = Sample(None, Quality.BAD_SENSOR if value != value else Quality.BAD_RANGE, at_s)

    def _swapped(self, registers: Sequence[int]) -> list[int]:
        swapped = list(registers)
        for at in self._swaps:
            swapped[at], swapped[at + 1] = swapped[at + 1], swapped[at]
        return swapped


_new: Final = tuple.__new__  # past the NamedTuple's own __new__, which costs three times as much; ninety samples are made in every scan
_SAMPLE: Final = repeat(Sample)
_GOOD: Final = Quality.GOOD
_ABSENT: Final = Quality.ABSENT
_CHOICES: Final = 1024  # states of all bits that are remembered; a batch shows a few dozen
_pick_own: Final = itemgetter(*OWN_SIGNALS)


def _struct(names: Sequence[str], present: Mapping[str, Place]) -> struct.Struct:
    """Return the layout of ``names`` (in the order of their registers) that skips what lies between them."""
    code, at = ">", 0
    for place in (present[name] for name in names):
        code += f"{2 * (place.register - at)}x{_CODE[place.type]}"
        at = place.register + _WIDTH[place.type]
    return struct.Struct(code)


def _choice(places: Sequence[tuple[int, int]], absent: int, words: tuple[int, ...]) -> Callable[[Sequence[Sample[float]]], Any]:
    """Return a function that picks from (off, on, absent): for each (word, mask) of ``places`` by ``words``, then absent samples."""
    return itemgetter(*(int(bool(words[word] & mask)) for word, mask in places), *([2] * absent))


def _picker(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that takes the values of ``keys`` out of a mapping or sequence as a tuple, at the speed of C."""
    if len(keys) == 1:
        return lambda values: (values[keys[0]],)
    return itemgetter(*keys) if keys else lambda values: ()


def load(path: Path) -> Wiring:
    """Return the compiled wiring file at ``path``.

    Raises:
        FileError: it is not TOML, a signal is unknown, missing or misplaced, or two overlap.
    """
    try:
        file = WiringFile.model_validate(read_toml(path))
    except ValidationError as error:
        raise FileError(str(path), problems_of(error)) from error
    if problems := list(_check(file)):
        raise FileError(str(path), problems)
    return Wiring(file)


def _check(file: WiringFile) -> list[Problem]:
    problems = []
    if file.map_version != block.MAP_VERSION:
        problems.append(Problem("map_version", file.map_version, f"this release speaks version {block.MAP_VERSION}"))
    wanted = [name for name in SIGNALS if name not in OWN_SIGNALS]
    problems += [
        Problem(f"signals.{name}", place.at, "no such signal; see `ovenctl print io`")
        for name, place in file.signals.items()
        if name not in wanted
    ]
    problems += _check_nodes(file, wanted)
    taken: dict[tuple[int, int], str] = {}
    on_registers = file.opcua is None or any(place.at is not None for place in file.signals.values())
    for name in wanted:
        place = file.signals.get(name)
        if place is None:
            problems.append(Problem(f"signals.{name}", None, "missing; say `absent = true` if this oven has none"))
            continue
        if on_registers and not place.absent:
            problems += _check_place(name, place, taken)
    return problems


def _check_nodes(file: WiringFile, wanted: Sequence[str]) -> list[Problem]:
    """Check that no node is named for nothing, and none twice."""
    present = {name: place for name in wanted if (place := file.signals.get(name)) is not None and not place.absent}
    if file.opcua is None:
        return [Problem(f"signals.{name}.node", place.node, "needs a section [opcua]") for name, place in present.items() if place.node]
    if "{signal}" not in file.opcua.signal and not all(place.node for place in present.values()):
        return [Problem("opcua.signal", file.opcua.signal, "{signal} stands for the signal's name, or every signal has a `node`")]
    problems = []
    taken = {file.opcua.begun: "opcua.begun", file.opcua.command: "opcua.command"}
    if len(taken) == 1:
        problems.append(Problem("opcua.command", file.opcua.command, "is opcua.begun too"))
    for name, place in present.items():
        node = place.node or file.opcua.signal.replace("{signal}", name)
        if node in taken:
            problems.append(Problem(f"signals.{name}.node", node, f"is {taken[node]} too"))
        taken[node] = f"signals.{name}"
    return problems


def _check_place(name: str, place: Place, taken: dict[tuple[int, int], str]) -> list[Problem]:
    key = f"signals.{name}.at"
    if place.at is None:
        return [Problem(key, None, "say where it lies, or `absent = true`")]
    is_bit = SIGNALS[name].unit == "" and SIGNALS[name].high == 1
    if is_bit != (place.type == "bool"):
        return [Problem(f"signals.{name}.type", place.type, "bool for a two-valued signal, a number type for the others")]
    if ("." in place.at) != is_bit or place.bit > 15:
        return [Problem(key, place.at, "register.bit (bit 0-15) for a bool, register for the others")]
    last = place.register + _WIDTH[place.type]
    if last > MAX_REGISTERS:
        return [Problem(key, place.at, f"the image is read in one request: registers 0-{MAX_REGISTERS - 1}")]
    cells = [(register, place.bit if is_bit else -1) for register in range(place.register, last)]
    clashes = [other for cell in cells for at, other in taken.items() if at[0] == cell[0] and (at[1] == cell[1] or -1 in (at[1], cell[1]))]
    if clashes:
        return [Problem(key, place.at, f"overlaps {clashes[0]}")]
    taken.update(dict.fromkeys(cells, name))
    return []
