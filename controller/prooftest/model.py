"""What a proof test is set to, what it remembers, and whether a batch may start on it."""

from typing import Annotated, Final, NamedTuple

from pydantic import Field, field_validator

from controller.equipment import Strict
from controller.prooftest.devices import BY_NAME

NEVER: Final = "none was made since the core started"

RESTARTED: Final = "the PLC was restarted since the last one"


class ProofTestSettings(Strict):
    """The proof test of PLC contract, valves and sensors before a batch. Its limits are placeholders for the site's own [assume]."""

    required: Annotated[bool, Field(description="false: a batch may start without a passed proof test; for rehearsals only")] = True
    max_age_h: Annotated[float, Field(ge=0.1, le=168, description="oldest proof test a batch may start on, h")] = 24.0
    watch_s: Annotated[float, Field(ge=2, le=60, description="how long sensors are watched before they are judged, s")] = 10.0
    watchdog_s: Annotated[float, Field(ge=1, le=60, description="without blocks the PLC must be in its safe state by then, s")] = 7.0
    stroke_s: Annotated[float, Field(ge=1, le=60, description="valve, lock or PLC must have followed by then, s")] = 8.0
    zone_c: Annotated[float, Field(ge=0.5, le=30, description="control and limit thermocouples of one zone agree within, degC")] = 5.0
    oven_c: Annotated[float, Field(ge=1, le=60, description="zones and load of the cold oven agree within, degC")] = 25.0
    air_mbar: Annotated[float, Field(ge=5, le=150, description="the open gauge reads ambient pressure within, mbar")] = 60.0
    interval_d: Annotated[
        dict[str, Annotated[float, Field(ge=1, le=3650)]],
        Field(description="days between two proof tests of a safety device, by the names of `ovenctl prooftest status`; others as printed"),
    ] = Field(default_factory=dict)
    air_o2_pct: Annotated[float, Field(ge=0.1, le=5, description="the O2 analyser reads the 20.9 vol% of air within, vol%")] = 1.0

    @field_validator("interval_d")
    @classmethod
    def _known(cls, intervals: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(intervals.keys() - BY_NAME.keys()):
            raise ValueError(f"no such device: {', '.join(unknown)}; one of {', '.join(BY_NAME)}")
        return intervals


class Finding(NamedTuple):
    """One thing that was looked at."""

    check: str
    ok: bool
    text: str


class ProofTest(NamedTuple):
    """Where a proof test stands, or what became of the last one. ``stage`` is "" while none runs."""

    stage: str = ""
    stage_s: float = 0.0
    findings: tuple[Finding, ...] = ()
    user: str = ""
    recipe_sha256: str = ""  # the recipe it was made for, "" for any
    passed_at_s: float | None = None
    boot_id: int = 0  # of the PLC that passed
    spoiled: str = NEVER  # why no batch may start on it

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Return what was found wrong."""
        return tuple(found for found in self.findings if not found.ok)


def begin(user: str, recipe_sha256: str, first_stage: str) -> ProofTest:
    """Return a proof test that starts now; the one before counts no more."""
    return ProofTest(first_stage, user=user, recipe_sha256=recipe_sha256, spoiled="one is being made")


def cancelled(test: ProofTest, why: str) -> ProofTest:
    """Return a proof test that was broken off."""
    return test._replace(stage="", stage_s=0.0, passed_at_s=None, spoiled=f"the last one was broken off: {why}")


def spent(batch_id: int) -> ProofTest:
    """Return what is left once a batch has started on it: the next batch needs its own."""
    return ProofTest(spoiled=f"the last one was for batch {batch_id}")


def objection(settings: ProofTestSettings, test: ProofTest, at_s: float, boot_id: int | None, recipe_sha256: str = "") -> str:
    """Return why no batch may start as far as the proof test goes, "" when one may.

    ``boot_id`` is what the PLC shows in this scan, None without an image: a restart counts in the scan in which it is first seen.
    Without a recipe its hash is not compared.
    """
    if not settings.required and not test.stage:
        return ""
    if test.stage or test.passed_at_s is None or test.spoiled:
        return f"no valid proof test: {test.spoiled}; ask for PROOF_TEST"
    if boot_id is not None and boot_id != test.boot_id:
        return f"{RESTARTED}; ask for PROOF_TEST"
    age_h = (at_s - test.passed_at_s) / 3600.0
    if age_h > settings.max_age_h:
        return f"the proof test is {age_h:.1f} h old, allowed {settings.max_age_h:g} h; ask for PROOF_TEST"
    if recipe_sha256 and test.recipe_sha256 and recipe_sha256 != test.recipe_sha256:
        made = f"the proof test was made for the recipe with sha256 {test.recipe_sha256[:12]}, this one has {recipe_sha256[:12]}"
        return f"{made} (another formula is another recipe); ask for PROOF_TEST without a recipe, or with this one"
    return ""
