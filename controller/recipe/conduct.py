"""What phases share: the types of their keys, and how a phase is conducted (timeouts, permissions, holdback, alarm bands, recovery)."""

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from controller.equipment import Strict

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Minutes = Annotated[float, Field(gt=0, le=6000)]
Temperature = Annotated[float, Field(ge=15, le=350)]
Pressure = Annotated[float, Field(ge=1e-3, le=1040)]
Flow = Annotated[float, Field(gt=0, le=200)]
Rate = Annotated[float, Field(gt=0, le=20)]
IsolationS = Annotated[float, Field(ge=30, le=1800)]
OnLimit = Literal["HOLD", "STOP", "ABORT", "CONTINUE"]
Strategy = Literal["RESET", "HOLD", "CONTINUE", "RAMP_BACK_PV", "RAMP_BACK_SP", "RESTART_SEGMENT"]


def key(default: Any, text: str) -> Any:
    """Return a key that may be left out; at its default it stands in no canonical text, so that older recipes keep their hash.

    Such a default is part of the format and never changes.
    """
    return Field(default=default, description=text, exclude_if=lambda value: bool(value == default))


class PowerFail(Strict):
    """How a batch goes on after power or core were away, by the length of the outage; one that is not known counts as long."""

    t1_s: Annotated[float, Field(ge=0, le=3600)] = key(60.0, "up to here an outage is short")
    t2_min: Annotated[float, Field(ge=0, le=1440)] = key(15.0, "up to here an outage is medium, beyond it long")
    short: Strategy = key("HOLD", "after a short outage")
    medium: Strategy = key("HOLD", "after a medium outage")
    long: Strategy = key("HOLD", "after a long outage")


class PhaseBase(Strict):
    """What every phase has."""

    name: Annotated[str, StringConstraints(max_length=60), Field(description="shown to people")] = ""
    comment: Annotated[str, StringConstraints(max_length=400), Field(description="why it is so")] = ""
    timeout_min: Annotated[Minutes, Field(description="longest duration")]
    on_timeout: Annotated[OnLimit, Field(description="what happens then")] = "HOLD"
    label: Name | Literal[""] = key("", "where a BRANCH may go")
    allow_hold: bool = key(True, "a person may hold the phase (STOP and ABORT always work)")
    allow_skip: bool = key(True, "a person may skip the phase")
    allow_edit: bool = key(True, "a person may edit the phase in the running batch")
    on_power_fail: Strategy | Literal[""] = key("", "instead of the recipe's [power_fail], whatever the length of the outage")
    record_s: Annotated[float, Field(ge=1, le=60)] = key(1.0, "interval of the samples in the journal, before a first-out too")
    at: str = key("", "")  # where it was written, when that is not its place in the recipe; set while a recipe is read
    turn: str = key("", "")  # which turn of a REPEAT, "2/3"; set while a recipe is read

    @property
    def title(self) -> str:
        """Return the phase for people: its name or kind, and its turn of a repeat."""
        shown: str = self.name or getattr(self, "kind", "")
        return f"{shown} ({self.turn})" if self.turn else shown


class ThermalPhase(PhaseBase):
    """A phase with heat: it says under which atmosphere, what the cascade follows and what deviates too far."""

    atmosphere: Annotated[Literal["VACUUM", "N2_FLOW"], Field(description="gas side")]
    pressure_mbar: Annotated[Pressure | None, Field(description="pressure set point, with VACUUM")] = None
    n2_flow_nm3_h: Annotated[Flow | None, Field(description="N2 flow, with N2_FLOW")] = None
    control_sensor: Literal["CONTROL", "LOAD_MIN", "LOAD_MEAN", "LOAD_MAX"] = key("LOAD_MIN", "PV that the cascade drives to the set point")
    pid_set: Name = key("default", "named set of the loops' tunings")
    output_limit_pct: Annotated[float, Field(ge=1, le=100)] = key(100.0, "highest heater output")
    alarm_dev_high_c: Annotated[float, Field(ge=1, le=100)] | None = key(None, "warn when the zones are so much above the set point")
    alarm_dev_low_c: Annotated[float, Field(ge=1, le=100)] | None = key(None, "warn when the zones are so much below the set point")
    alarm_high_c: Temperature | None = key(None, "warn when a zone or the load is above")
    alarm_low_c: Temperature | None = key(None, "warn when the zones or the load are below")

    @property
    def shut(self) -> bool:
        """Return whether the phase waits in a shut chamber, without heat: a WAIT or OPERATOR without an atmosphere."""
        return str(self.atmosphere) == "NONE"

    @cached_property
    def banded(self) -> bool:
        """Return whether there is any alarm band."""
        return any(band is not None for band in (self.alarm_dev_high_c, self.alarm_dev_low_c, self.alarm_high_c, self.alarm_low_c))


class HeldBack(ThermalPhase):
    """A phase that waits for the oven, not for ever."""

    holdback_max_min: Minutes | None = key(None, "longest time in one go that the oven may keep the phase waiting; no limit without")
    on_holdback: OnLimit = key("HOLD", "what happens then; CONTINUE goes to the next phase")


class TestedPhase(HeldBack):
    """A phase that may isolate its vacuum from time to time for a pressure-rise test; all three keys or none."""

    pressure_rise_every_min: Annotated[Minutes | None, Field(description="from one pressure-rise test to the next")] = None
    pressure_rise_s: Annotated[IsolationS | None, Field(description="how long the chamber is isolated")] = None
    pressure_rise_max_mbar: Annotated[Pressure | None, Field(description="pressure at which it is opened again")] = None
