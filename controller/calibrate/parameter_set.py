"""The parameter set as a file: what the controller loads, the belief it was made from, and where all of it comes from.

The section ``[estimator]`` has the keys of the configuration's ``[settings.estimator]``. A set is never changed: the next one has the next
version number, names its parent by SHA-256 and goes into a new file.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field, StringConstraints, ValidationError

from controller.calibrate import dried
from controller.calibrate.dried import Dried, Drying
from controller.equipment import Strict
from controller.errors import FileError, Problem
from controller.estimator import drying
from controller.estimator.calibration import ENERGY, NAMES, OFFSET, ORDER, TIME, WIDTH, Posterior, Prior, literature, uncut
from controller.estimator.model import EstimatorSettings
from controller.journal.product import Day, Printable, Word
from controller.validation import READABLE, problems_of, toml_of

MAX_BYTES: Final = 1_000_000
KEYS: Final = (
    "solvent", "lot", "gel_time_240c_h", "gel_time_ln_sd", "activation_energy_kj_mol", "activation_energy_sd_kj_mol",
    "order", "order_sd", "polydispersity", "polydispersity_sd", "vitrification_offset_k", "vitrification_offset_sd_k", "cure_correlation",
    *dried.KEYS,
)  # fmt: skip
# [assume] from lot to lot of one resin, standard deviations of ``NAMES``: a parent of another lot is believed with this added
LOT_SD: Final = (0.2, 4.0, 0.25, 0.05, 3.0)
_TABLES: Final = ("journal", "coupon", "weighed")
_SMALL: Final = ("diffusion_m2_s", "bound_solvent_kg_kg", "release_1_s")  # held against each other relatively
_LEAST_SD: Final = 1e-9  # its square is a number
_NEAR_ZERO: Final = 0.1  # numbers of the others below are held against each other absolutely
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Row = Annotated[tuple[Number, Number, Number, Number, Number], Field(strict=False)]


class Belief(Strict):
    """The posterior: ``mean``, ``sd`` and ``correlation`` in the order of ``names``."""

    names: Annotated[tuple[str, ...], Field(strict=False)] = NAMES
    mean: Row
    sd: Row
    correlation: Annotated[tuple[Row, Row, Row, Row, Row], Field(strict=False)]
    correlation_gel_time_energy: Annotated[float, Field(ge=-1, le=1)]  # of ln gel time and energy; ln k is minus ln gel time
    best_known_c: Annotated[float, Field(ge=0, le=500)]  # temperature at which the rate of a dry film is known best
    best_known_ln_sd: Annotated[float, Field(ge=0, le=10)]
    law_ln_sd: Annotated[float, Field(ge=0, le=2)]  # of the rate, coupon by coupon, as assumed
    effective_coupons: Annotated[float, Field(ge=0, le=1000)]
    sample_share: Annotated[float, Field(ge=0, le=1)]  # of the samples that carried weight


class Evidenced(Strict):
    """One coupon of the set; percent and degC. ``z`` is its deviation from what the other coupons foretell, in standard deviations."""

    name: Word
    source: Word
    zone: str
    effective_c: Number
    insoluble_pct: Number
    insoluble_sd_pct: Number
    predicted_pct: Number
    z: Number
    share: Annotated[float, Field(ge=0, le=1)]  # of all that the coupons say about the rate


class JournalOf(Strict):
    """A journal that gave histories, as it was."""

    file: str
    entries: Annotated[int, Field(ge=1)]
    head_sha256: Sha256
    batches: Annotated[tuple[str, ...], Field(strict=False)]


class ParameterSet(Strict):
    """The whole file."""

    format: Literal[1] = 1
    version: Annotated[int, Field(ge=1, le=100_000)]
    date: Day
    lot: Word
    resin: Word
    parent: str  # file name; empty: the literature's prior
    parent_sha256: Sha256 | Literal[""]
    lab: str
    lab_sha256: Sha256
    held_out: Annotated[tuple[str, ...], Field(strict=False)] = ()
    learnt: Annotated[tuple[str, ...], Field(strict=False)] = ()  # marks of all coupons in it, those of its parents too
    warnings: Annotated[tuple[Printable, ...], Field(strict=False)] = ()  # what a person should know before believing it
    estimator: EstimatorSettings
    posterior: Belief
    drying: Drying
    journal: Annotated[tuple[JournalOf, ...], Field(strict=False)] = ()
    coupon: Annotated[tuple[Evidenced, ...], Field(strict=False, min_length=1)]
    weighed: Annotated[tuple[Dried, ...], Field(strict=False)] = ()

    @property
    def covariance(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        """Return the posterior's covariance, shape (5, 5)."""
        return np.asarray(np.array(self.posterior.correlation) * np.outer(self.posterior.sd, self.posterior.sd), dtype=np.float64)

    def prior_for(self, lot: str) -> Prior:
        """Return this belief as the prior of ``lot``, wider for another lot than its own."""
        wider = np.diag(np.square(LOT_SD)) if lot != self.lot else np.zeros((len(NAMES), len(NAMES)))
        start = literature()
        mean, sd = uncut(np.array(self.posterior.mean), np.array(self.posterior.sd), start.low, start.high)
        covariance = np.array(self.posterior.correlation) * np.outer(sd, sd)
        return Prior(mean, covariance + wider, start.low, start.high)


def settings_of(posterior: Posterior, dry: Drying, solvent: str, lot: str | None) -> EstimatorSettings:
    """Return what is believed of crosslinking and drying as the settings of the estimator, no key set but ``KEYS``."""
    mean, sd = posterior.mean, posterior.sd
    return EstimatorSettings.model_validate(
        {
            "solvent": solvent,
            "lot": lot,
            "gel_time_240c_h": _rounded(np.exp(mean[TIME])),
            "gel_time_ln_sd": max(0.01, _rounded(sd[TIME])),
            "activation_energy_kj_mol": _rounded(mean[ENERGY]),
            "activation_energy_sd_kj_mol": max(0.5, _rounded(sd[ENERGY])),
            "order": _rounded(mean[ORDER]),
            "order_sd": _rounded(sd[ORDER]),
            "polydispersity": _rounded(mean[WIDTH]),
            "polydispersity_sd": _rounded(sd[WIDTH]),
            "vitrification_offset_k": _rounded(mean[OFFSET]),
            "vitrification_offset_sd_k": _rounded(sd[OFFSET]),
            "cure_correlation": tuple(
                min(0.9999, max(-0.9999, _rounded(one))) for one in posterior.correlation[np.triu_indices(len(NAMES), 1)]
            ),
            **dried.settings_of(dry),
        }
    )


def write(found: ParameterSet, path: Path) -> str:
    """Write ``found`` to a new file at ``path`` and return the file's SHA-256.

    Raises:
        FileError: there is such a file already; a set is never overwritten.
    """
    text = to_toml(found)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise FileError(str(path), [Problem("--out", str(path), "must be a new file: a parameter set is never overwritten")]) from None
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> tuple[ParameterSet, str]:
    """Return the parameter set in the file at ``path`` and the file's SHA-256.

    Raises:
        FileError: every mistake in it; also when its sections do not agree, which happens when one was edited by hand.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError(str(path), [Problem("size", path.stat().st_size, f"at most {MAX_BYTES} bytes")])
        raw = path.read_bytes()
        found = ParameterSet.model_validate(toml_of(raw, str(path)))
    except ValidationError as error:
        known = (
            *ParameterSet.model_fields,
            *Belief.model_fields,
            *Evidenced.model_fields,
            *Drying.model_fields,
            *Dried.model_fields,
            *KEYS,
        )
        raise FileError(str(path), problems_of(error, known)) from error
    except OSError as error:
        raise FileError(str(path), [Problem("file", str(error), READABLE)]) from error
    if problems := list(_disagreements(found)):
        raise FileError(str(path), problems)
    return found, hashlib.sha256(raw).hexdigest()


def to_toml(found: ParameterSet) -> str:
    """Return ``found`` as TOML."""
    content = found.model_dump(exclude_defaults=False, exclude={"estimator"})
    content["estimator"] = found.estimator.model_dump(include=set(KEYS), exclude_none=True)
    lines = [
        "# Parameters of a resin lot from its coupons. [estimator] goes into the configuration as [settings.estimator].",
        "# Not to be edited: the sections are checked against each other, and the next set names this one by its hash.",
    ]
    lines += [f"{key} = {_literal(value)}" for key, value in content.items() if not isinstance(value, dict) and key not in _TABLES]
    for section in ("estimator", "posterior", "drying"):
        lines += ["", f"[{section}]", *(f"{key} = {_literal(value)}" for key, value in content[section].items())]
    for table in _TABLES:
        for row in content[table]:
            lines += ["", f"[[{table}]]", *(f"{key} = {_literal(value)}" for key, value in row.items())]
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_literal(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _rounded(value: object) -> float:
    return float(f"{value:.5g}")


def _disagreements(found: ParameterSet) -> list[Problem]:
    belief = found.posterior
    problems = [*_unsound("posterior", belief, NAMES), *_unsound("drying", found.drying, drying.NAMES)]
    if problems:
        return problems
    if found.estimator.lot not in (None, found.lot):  # older sets have none
        problems.append(Problem("estimator.lot", found.estimator.lot, f"does not agree with lot, which says {found.lot}"))
    told = found.estimator.model_dump(include=set(KEYS), exclude_unset=True)
    posterior = Posterior(np.array(belief.mean), found.covariance, np.empty((len(NAMES), 0)), 0.0)
    try:
        again = settings_of(posterior, found.drying, found.estimator.solvent, found.estimator.lot)
    except ValidationError as error:
        return [problem._replace(key=f"estimator.{problem.key}") for problem in problems_of(error, KEYS)]
    for key, value in again.model_dump(include=set(KEYS), exclude_none=True).items():
        near_zero = 0.0 if key in _SMALL else _NEAR_ZERO
        if key not in told or _differ(told[key], value, near_zero):
            section = "drying" if key in dried.KEYS else "posterior"
            problems.append(Problem(f"estimator.{key}", told.get(key, "(missing)"), f"does not agree with [{section}], which says {value}"))
    return problems


def _unsound(section: str, belief: Belief | Drying, names: tuple[str, ...]) -> list[Problem]:
    """Return what is wrong with a section that says it is a Gaussian over ``names``."""
    problems = []
    if belief.names != names:
        problems.append(Problem(f"{section}.names", belief.names, f"must be {', '.join(names)}"))
    matrix = np.array(belief.correlation)
    if not (np.allclose(np.diag(matrix), 1) and np.allclose(matrix, matrix.T) and np.linalg.eigvalsh(matrix).min() > 0):
        problems.append(
            Problem(f"{section}.correlation", belief.correlation[0], "must be symmetric and positive with ones on the diagonal")
        )
    if min(belief.sd) < _LEAST_SD:
        problems.append(Problem(f"{section}.sd", belief.sd, f"must be above 0, at least {_LEAST_SD:g}"))
    return problems


def _differ(told: object, value: object, near_zero: float) -> bool:
    if isinstance(told, tuple) and isinstance(value, tuple):
        return any(_differ(one, other, near_zero) for one, other in zip(told, value, strict=True))
    return isinstance(told, float) and isinstance(value, float) and abs(told - value) > 2e-4 * max(abs(value), near_zero)
