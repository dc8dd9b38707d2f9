"""What is kept of one run of a campaign: a line of JSON, read back as strictly as anything else.

Fractions by weight (0 to 1), times in s; a belief is (median, low, high) with the ends of its central 90 % interval.
"""

from typing import Annotated

from pydantic import Field

from controller.equipment import Strict
from controller.image import Interval

Triple = tuple[float, float, float]


class Believed(Strict):
    """A belief beside the truth."""

    estimate: Triple
    truth: float

    @property
    def covered(self) -> bool:
        """Return whether the interval holds the truth."""
        return self.estimate[1] <= self.truth <= self.estimate[2]

    @property
    def error(self) -> float:
        """Return median minus truth."""
        return self.estimate[0] - self.truth


class CureEnd(Strict):
    """The product in the scan in which the controller ended the CURE."""

    at_s: float  # since START
    cure_s: float  # since the phase began
    why: str
    valid: bool  # the estimate
    residual: Believed  # worst position
    insoluble: Believed  # mean of the roll
    coming: float  # what the mean is believed to gain after it
    insoluble_min: float  # truth, over the whole roll
    insoluble_max: float
    unforeseeable: float  # of the mean, by the batch's own rate, see ``bound``
    residual_at: dict[str, Believed]  # by position
    insoluble_at: dict[str, Believed]


class Product(Strict):
    """The cold roll at the end of a batch that COMPLETEd."""

    insoluble: Believed  # mean of the roll: the belief is that of the scan in which the CURE ended
    insoluble_min: float  # truth, over the whole roll
    insoluble_max: float


class Drying(Strict):
    """The belief about the worst position when its true residual solvent first fell below ``mark``."""

    mark: float
    at_s: float  # since START
    valid: bool
    residual: Believed


class Gelling(Strict):
    """The belief when the roll's true mean insoluble content first passed ``mark``: over the roll, and by position."""

    mark: float
    at_s: float  # since START
    valid: bool
    insoluble: Believed
    insoluble_at: dict[str, Believed]


class Foreseen(Strict):
    """A forecast of the batch's end, made at a share of the batch."""

    share: float
    made_s: float  # since START
    end_s: Triple  # since START
    error_s: float  # median minus what came


class Trace(Strict):
    """The cure that never ends, a column each; ``cure_s`` counts from the start of the phase."""

    began_s: float  # since START
    own_s: float | None  # when the recipe's rule would have ended it
    own_why: str
    ended: str
    cure_s: list[float]
    residual: list[float]  # truth, worst position
    insoluble: list[float]  # truth, mean
    insoluble_min: list[float]
    insoluble_max: list[float]
    believed_residual: list[Triple]
    believed_insoluble: list[Triple]
    p_solvent_ok: list[float]
    p_insoluble_in_window: list[float]
    valid: list[bool]
    seen_kg: list[float | None]  # condensate and exhaust since the phase began


class Struck(Strict):
    """The fault of a run."""

    name: str
    at_s: float | None  # since START, None when the batch was over before
    phase: str
    restarts: int


class Run(Strict):
    """One seed of a campaign."""

    seed: Annotated[int, Field(ge=0)]
    recipe_sha256: str
    load_sha256: str
    code_sha256: str
    scan_s: float
    fault: str  # asked for: "", a name or "random"
    world: str  # that lot and plant were drawn in
    unit_state: str
    result: str
    batch_s: float
    endpoint_s: float | None  # since START
    predicted_endpoint_s: float | None  # by the dry run, since START
    predicted_cure_s: float | None  # the same since the CURE begins
    unsafe: list[dict[str, str | float]]
    alarms: list[str]  # rules raised, in their order
    cure_end: CureEnd | None
    product: Product | None
    foreseen: list[Foreseen]
    drying: list[Drying]
    gelling: list[Gelling]
    trace: Trace | None
    struck: Struck | None
    unloaded_s: float | None = None  # from the end of the batch until the door was open; None: it stayed locked for half a day
    wall_s: float


def triple(belief: Interval) -> Triple:
    """Return a belief rounded to six digits."""
    return rounded(belief.value), rounded(belief.low), rounded(belief.high)


def rounded(number: float) -> float:
    """Return ``number`` with six significant digits."""
    return float(f"{number:.6g}")


def believed(belief: Interval, truth: float) -> Believed:
    """Return ``belief`` beside ``truth``."""
    return Believed(estimate=triple(belief), truth=rounded(truth))
