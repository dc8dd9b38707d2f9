"""Gain scheduling: named sets of tunings over temperature, one table for vacuum and one for nitrogen, because the gas carries the heat.

The temperature is the load's set point, which has no noise, in whole degrees; between two breakpoints every parameter is interpolated,
outside of them the nearest holds. A loop takes another tuning over without a bump (``pid.step``).
"""

from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field, StringConstraints, model_validator

from controller.control.pid import Tuning
from controller.equipment import Strict
from controller.image import Atmosphere

DEFAULT: Final = "default"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class Breakpoint(Strict):
    """The tunings at one temperature; a loop that is left out keeps the site's plain tuning."""

    temp_c: Annotated[float, Field(ge=0, le=350, description="set point of the load, degC")]
    lead: Tuning | None = None
    zone: Tuning | None = None


Points = Annotated[tuple[Breakpoint, ...], Field(strict=False, max_length=16)]


class TuningSet(Strict):
    """One named set; an atmosphere without breakpoints takes those of the other."""

    vacuum: Points = ()
    nitrogen: Points = ()

    @model_validator(mode="after")
    def _ascending(self) -> "TuningSet":
        if not self.vacuum and not self.nitrogen:
            raise ValueError("needs at least one breakpoint, in vacuum or nitrogen")
        for name, points in (("vacuum", self.vacuum), ("nitrogen", self.nitrogen)):
            temps = [point.temp_c for point in points]
            if any(after <= before for before, after in pairwise(temps)):
                raise ValueError(f"{name}: temp_c must ascend from breakpoint to breakpoint")
        return self

    def points(self, atmosphere: Atmosphere) -> tuple[Breakpoint, ...]:
        """Return the breakpoints that hold under ``atmosphere``: everything but N2 flow and backfill counts as vacuum."""
        inert = atmosphere in (Atmosphere.N2_FLOW, Atmosphere.BACKFILL)
        return (self.nitrogen or self.vacuum) if inert else (self.vacuum or self.nitrogen)


Pair = tuple[Tuning, Tuning]  # of lead and zone


def scheduled(points: tuple[Breakpoint, ...], temp_c: float, plain: Pair) -> Pair:
    """Return the tunings of lead and zone loops at ``temp_c``; ``plain`` where the breakpoints say nothing."""
    return _loop([(p.temp_c, p.lead) for p in points], temp_c, plain[0]), _loop([(p.temp_c, p.zone) for p in points], temp_c, plain[1])


def _loop(points: list[tuple[float, Tuning | None]], temp_c: float, plain: Tuning) -> Tuning:
    known = [(at_c, tuning) for at_c, tuning in points if tuning is not None]
    if not known:
        return plain
    below = [point for point in known if point[0] <= temp_c]
    above = [point for point in known if point[0] > temp_c]
    if not below or not above:
        return known[0][1] if not below else known[-1][1]
    (low_c, low), (high_c, high) = below[-1], above[0]
    share = (temp_c - low_c) / (high_c - low_c)
    return Tuning(**{name: (1.0 - share) * getattr(low, name) + share * getattr(high, name) for name in Tuning.model_fields})
