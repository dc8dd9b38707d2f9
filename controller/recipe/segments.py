"""The kinds of phase: one class each, its keys with units and ranges. What a phase does is a function in ``phases``."""

from enum import IntEnum
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from controller.equipment import Strict
from controller.recipe.conduct import (
    Flow,
    HeldBack,
    IsolationS,
    Minutes,
    Name,
    PhaseBase,
    Pressure,
    Rate,
    Temperature,
    TestedPhase,
    Text,
    ThermalPhase,
    key,
)

Band = Annotated[float, Field(ge=0.5, le=50)]
Deviation = Annotated[float, Field(ge=1, le=100)]
Percent = Annotated[float, Field(gt=0, le=20.9)]
Counting = Literal["ALL", "CONTROL", "LAGGING", "MEAN"]
_TARGET: Final = Field(description="set point to reach or hold")
_BAND: Final = Field(description="half width of the band in which time counts; never while a zone is more than 5 degC below the target")


class Kind(IntEnum):
    """Kinds of phase; the number is the one that the PLC shows."""

    LEAK_TEST = 1
    EVACUATE = 2
    CYCLE_PURGE = 3
    PURGE_FLOW = 4
    RAMP = 5
    SOAK = 6
    CURE = 7
    COOL = 8
    VENT = 9
    END = 10
    PRESSURE_RISE = 11
    STEP = 12
    BACKFILL = 13
    WAIT = 14
    OPERATOR = 15
    BRANCH = 16


class LeakTest(PhaseBase):
    """Pump down, close everything, measure the rise; too fast a rise fails the phase."""

    kind: Literal["LEAK_TEST"]
    pressure_mbar: Annotated[Pressure, Field(description="where the test begins")]
    hold_min: Annotated[Minutes, Field(description="duration of the measurement")]
    max_rise_mbar_h: Annotated[float, Field(gt=0, le=1000, description="go up to here, no-go beyond (I13)")]
    on_fail: Literal["HOLD", "CONTINUE"] = key("HOLD", "no-go: hold (I13), or go on unproven to a BRANCH on LEAK_TEST")


class Evacuate(PhaseBase):
    """Pump down to a pressure."""

    kind: Literal["EVACUATE"]
    pressure_mbar: Annotated[Pressure, Field(description="pressure to reach and keep for 10 s")]
    max_rate_mbar_min: Annotated[float, Field(gt=0, le=2000)] | None = key(None, "fastest fall of the pressure; as the pump can without")


class CyclePurge(PhaseBase):
    """Pump down and fill with N2, a number of times; ends filled. Further cycles are made until the O2 asked for is shown."""

    kind: Literal["CYCLE_PURGE"]
    low_mbar: Annotated[Pressure, Field(description="down to here")]
    high_mbar: Annotated[Pressure, Field(description="up to here")]
    cycles: Annotated[int, Field(ge=1, le=20, description="at least so many")]
    computed_o2_pct: Percent | None = key(None, "O2 that must be left by calculation from the pressures measured in each cycle")
    measured_o2_pct: Percent | None = key(None, "O2 that a valid reading of the analyser must confirm")


class PurgeFlow(PhaseBase):
    """Send N2 through until so many chamber volumes have gone and the O2 analyser, if it can be trusted, agrees."""

    kind: Literal["PURGE_FLOW"]
    n2_flow_nm3_h: Annotated[Flow, Field(description="N2 flow")]
    volumes: Annotated[float, Field(ge=1, le=100, description="chamber volumes to send through")]
    max_o2_pct: Annotated[float, Field(gt=0, le=20.9, description="O2 that must be read in the end")]


class Backfill(PhaseBase):
    """Fill with N2 up to a pressure, without heat."""

    kind: Literal["BACKFILL"]
    pressure_mbar: Annotated[Pressure, Field(description="pressure to reach")]
    n2_flow_nm3_h: Flow | None = key(None, "N2 flow; as much as the controller can without")


class Ramp(HeldBack):
    """Move the set point, by rate or by time; it waits for the oven (holdback) and ends at the target."""

    kind: Literal["RAMP"]
    target_c: Annotated[Temperature, _TARGET]
    rate_c_per_min: Annotated[Rate | None, Field(description="rate; either this or ramp_min")] = None
    ramp_min: Minutes | None = key(None, "duration; either this or rate_c_per_min")
    start_from: Literal["SP", "PV"] = key("SP", "the ramp begins at the set point as it stands, or at the zones' temperature")
    holdback_c: Annotated[Deviation, Field(description="deviation of the zones at which the set point waits")] = 10.0
    holdback: Literal["BEHIND", "LOW", "HIGH", "BAND", "OFF"] = key(
        "BEHIND", "it waits for zones that are behind on the way, too low, too high, either, or never"
    )


class Step(HeldBack):
    """Take the set point to the target as fast as the oven may (``equipment.max_rate_c_per_min``; the guard slows it down)."""

    kind: Literal["STEP"]
    target_c: Annotated[Temperature, _TARGET]
    band_c: Band | None = key(None, "ends when the zones are so near to the target; with the set point there without")


class Soak(TestedPhase):
    """Guaranteed soak: time counts only while every load thermocouple is inside the band."""

    kind: Literal["SOAK"]
    target_c: Annotated[Temperature, _TARGET]
    soak_min: Annotated[Minutes, Field(description="time in band")]
    band_c: Annotated[Band, _BAND] = 5.0
    sensors: Counting = key(
        "ALL", "whose band it is: zones and every load thermocouple; zones; zones and coldest load; zones and mean load"
    )
    outside: Literal["STOP", "RESET"] = key("STOP", "outside the band the time stands still, or begins anew")


class Cure(TestedPhase):
    """Soak until the model says that the endpoint is reached, not before ``min_min`` in band and not beyond ``timeout_min``.

    When the model has been outside its validity for a quarter of an hour, ``fallback_min`` in band is enough instead, and it says so.
    """

    kind: Literal["CURE"]
    target_c: Annotated[Temperature, _TARGET]
    min_min: Annotated[Minutes, Field(description="least time in band")]
    fallback_min: Annotated[Minutes, Field(description="time in band that is enough when there is no valid estimate")]
    band_c: Annotated[Band, _BAND] = 5.0
    sensors: Counting = key("ALL", "as SOAK")
    outside: Literal["STOP", "RESET"] = key("STOP", "as SOAK")


class PressureRiseTest(ThermalPhase):
    """Isolate the chamber once, heat going on, and open it again: the pressure tells leak and solvent apart."""

    kind: Literal["PRESSURE_RISE"]
    target_c: Annotated[Temperature, _TARGET]
    isolate_s: Annotated[IsolationS, Field(description="how long")]
    max_mbar: Annotated[Pressure, Field(description="opened again at this pressure")]


class Pause(ThermalPhase):
    """A phase that waits for something outside; with an atmosphere it holds the heat, with NONE the chamber is shut and not heated."""

    atmosphere: Annotated[Literal["VACUUM", "N2_FLOW", "NONE"], Field(description="gas side")] = "NONE"  # type: ignore[assignment]
    target_c: Temperature | None = key(None, "set point to hold; the one that stands without")
    expect_min: Annotated[float, Field(ge=0, le=6000)] = key(1.0, "duration that forecast and dry run reckon with")


class Wait(Pause):
    """Wait until a reading has passed a threshold; the timeout always runs."""

    kind: Literal["WAIT"]
    tag: Annotated[str, StringConstraints(max_length=40), Field(description="what is looked at, one of the list below")]
    rising: float | None = key(None, "waits until the reading is at or above, in the unit of the tag")
    falling: float | None = key(None, "waits until the reading is at or below, in the unit of the tag")
    equals: bool | None = key(None, "waits until a contact says so")
    crossing: bool = key(False, "the reading must have been on the other side since the phase began")
    for_s: Annotated[float, Field(ge=0, le=3600)] = key(0.0, "how long it must stand")


class Operator(Pause):
    """Ask a person for a confirmation, and for an entry; the timeout always runs."""

    kind: Literal["OPERATOR"]
    text: Annotated[Text, Field(description="what is asked or to be done")]
    entry: Literal["CONFIRM", "ROLL_ID", "TEXT", "NUMBER", "CHOICE"] = key("CONFIRM", "what must be entered; a roll id must be the load's")
    low: float | None = key(None, "lowest NUMBER")
    high: float | None = key(None, "highest NUMBER")
    choices: Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=60)], ...], Field(max_length=10, strict=False)] = (
        key((), "answers to choose from, with CHOICE")
    )


class Cool(ThermalPhase):
    """Cool until every load thermocouple is below the target: at a rate, or by itself without one; in N2 or in vacuum."""

    kind: Literal["COOL"]
    target_c: Annotated[Temperature, Field(description="the hottest reading ends below")]
    rate_c_per_min: Annotated[Rate | None, Field(description="fastest cooling; heat off, naturally, without")] = None


class Vent(PhaseBase):
    """Let air in until ambient pressure, only when it is safe (I19), and draw it through until one can breathe behind the door (I19N)."""

    kind: Literal["VENT"]


class Branch(Strict):
    """Go on at a later phase when a result says so; takes no time. While the result is not there the phase before goes on."""

    kind: Literal["BRANCH"]
    name: Annotated[str, StringConstraints(max_length=60), Field(description="shown to people")] = ""
    comment: Annotated[str, StringConstraints(max_length=400), Field(description="why it is so")] = ""
    label: Name | Literal[""] = key("", "where another BRANCH may go")
    on: Annotated[
        Literal["LEAK_TEST", "LEAK_RATE", "PRESSURE_RISE", "ANSWER", "TIMEOUT", "RESIDUAL", "INSOLUBLE", "ALWAYS"],
        Field(description="the result: last leak test was no-go, its rate in mbar/h, leak of the last pressure-rise test in mbar/min, last "
              "answer of a person, the phase before ended by its timeout, believed residual solvent in wt%, insoluble content in % then "
              "(not once cold, as the endpoint is), none"),
    ]  # fmt: skip
    above: float | None = key(None, "branches when the result is above")
    below: float | None = key(None, "branches when the result is below")
    equals: Annotated[str, StringConstraints(min_length=1, max_length=60)] | None = key(None, "branches when the answer is this")
    to: Annotated[Name, Field(description="label of a later phase")]
    expect: Literal["GO_ON", "JUMP"] = key("GO_ON", "the way that forecast and dry run take")
    at: str = key("", "")
    turn: str = key("", "")

    @property
    def title(self) -> str:
        """Return the branch for people."""
        return self.name or f"BRANCH to {self.to}"


class End(Strict):
    """The batch is complete."""

    kind: Literal["END"]
    name: Annotated[str, StringConstraints(max_length=60), Field(description="shown to people")] = ""
    comment: Annotated[str, StringConstraints(max_length=400), Field(description="why it is so")] = ""
    label: Name | Literal[""] = key("", "where a BRANCH may go")
    action: Literal["COOL_GAS", "INERT", "OFF"] = key(
        "COOL_GAS", "N2 flows until the load is cold, then all off; N2 goes on until RESET; all off at once when cold, vacuum kept"
    )
    at: str = key("", "")
    turn: str = key("", "")

    @property
    def title(self) -> str:
        """Return the end for people."""
        return self.name or "END"


Phase = Annotated[
    LeakTest | Evacuate | CyclePurge | PurgeFlow | Backfill | Ramp | Step | Soak | Cure | PressureRiseTest | Wait | Operator | Branch | Cool
    | Vent | End,
    Field(discriminator="kind"),
]  # fmt: skip


class Repeat(Strict):
    """Run the phases below it so many times; two deep at most. Reading a recipe writes every turn out."""

    kind: Literal["REPEAT"]
    name: Annotated[str, StringConstraints(max_length=60), Field(description="shown to people")] = ""
    comment: Annotated[str, StringConstraints(max_length=400), Field(description="why it is so")] = ""
    count: Annotated[int, Field(ge=1, le=50, description="how often")]


class Call(Strict):
    """Run the phases of a sub-recipe, a file in the folder ``parts`` beside it; reading a recipe writes them out."""

    kind: Literal["CALL"]
    name: Annotated[str, StringConstraints(max_length=60), Field(description="shown to people")] = ""
    comment: Annotated[str, StringConstraints(max_length=400), Field(description="why it is so")] = ""
    recipe: Annotated[Name, Field(description="name of the file, without .toml")]
    formula: dict[Name, float | Annotated[str, StringConstraints(pattern=r"^=[a-z0-9][a-z0-9-]{0,63}$")]] = Field(
        default_factory=dict, description="values for the sub-recipe's formula; \"=name\" takes this recipe's"
    )
