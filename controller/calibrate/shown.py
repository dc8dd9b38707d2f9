"""A calibration, and parameter sets side by side, as tables for a person and as JSON."""

from collections.abc import Sequence
from math import exp, hypot, sqrt
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from controller.calibrate.evaluate import Calibration
from controller.calibrate.parameter_set import ParameterSet
from controller.estimator.calibration import ENERGY, NAMES, TIME, literature
from controller.image import Interval

_Z90: Final = 1.645
_SIGNIFICANT: Final = 2.0


class Drift(NamedTuple):
    """One parameter set beside the one before it; deviations in standard deviations, None for the first."""

    file: str
    version: int
    lot: str
    date: str
    gel_time_h: Interval
    energy_kj_mol: Interval
    gel_time_z: float | None
    energy_z: float | None
    warnings: tuple[str, ...]


def as_json(found: Calibration) -> dict[str, Any]:
    """Return a calibration for machines: the parameter set, what was kept back, the warnings, why it may not be written."""
    said = found.parameters.model_dump(mode="json", exclude={"estimator", "warnings"})
    said["estimator"] = found.parameters.estimator.model_dump(mode="json", exclude_unset=True)
    kept_back, refused = [_held_out(row) for row in found.held_out], [str(why) for why in found.refused]
    return {"parameters": said, "held_out": kept_back, "warnings": list(found.warnings), "refused": refused}


def _held_out(row: Any) -> dict[str, Any]:
    return {**row._asdict(), "before": list(row.before), "after": list(row.after)}


def tables(found: Calibration) -> RenderableType:
    """Return a calibration as tables: parameters, coupons, coupons kept back, warnings, why it may not be written."""
    parts: list[RenderableType] = [_parameters(found), _coupons(found.parameters), _weighed(found.parameters)]
    if found.held_out:
        parts.append(_kept_back(found))
    parts += [Text(f"warning: {said}") for said in found.warnings]
    parts += [Text(f"no parameter set: {why}") for why in found.refused]
    return Group(*parts)


def _parameters(found: Calibration) -> Table:
    belief, ranges = found.parameters.posterior, literature()
    table = Table(title=f"lot {found.parameters.lot}, parameter set version {found.parameters.version}")
    for column in ("parameter", "value", "90 %", "prior sd", "sd"):
        table.add_column(column)
    for i, name in enumerate(NAMES):
        mean, sd = belief.mean[i], belief.sd[i]
        ends = [min(max(mean + one * sd, ranges.low[i]), ranges.high[i]) for one in (-_Z90, _Z90)]
        values = [exp(one) if i == TIME else one for one in (mean, *ends)]
        label = "gel time at 240 degC, h (sd of ln)" if i == TIME else name
        table.add_row(label, f"{values[0]:.4g}", f"{values[1]:.4g} to {values[2]:.4g}", f"{found.prior_sd[i]:.3g}", f"{sd:.3g}")
    table.caption = (
        f"rate best known at {belief.best_known_c:.0f} degC, to {100 * belief.best_known_ln_sd:.1f} %; correlation of gel time and E "
        f"{belief.correlation_gel_time_energy:+.2f}; {belief.effective_coupons:.1f} effective coupons of {len(found.parameters.coupon)}"
    )
    return table


def _coupons(parameters: ParameterSet) -> Table:
    table = Table(title="coupons: z against what the others foretell", title_justify="left")
    for column in ("coupon", "from", "zone", "degC", "measured, %", "predicted, %", "z", "share"):
        table.add_column(column, justify="left" if column in ("coupon", "from", "zone") else "right")
    for row in parameters.coupon:
        measured = f"{row.insoluble_pct:.1f} ± {row.insoluble_sd_pct:.1f}"
        table.add_row(
            Text(row.name), Text(row.source), row.zone, f"{row.effective_c:.1f}", measured, f"{row.predicted_pct:.1f}", f"{row.z:+.1f}",
            f"{100 * row.share:.0f} %",
        )  # fmt: skip
    return table


def _weighed(parameters: ParameterSet) -> Table:
    """Return what the coupons' residual solvent says of diffusion in the dry film."""
    belief, settings = parameters.drying, parameters.estimator
    table = Table(title="residual solvent: z against what the other coupons foretell", title_justify="left")
    for column in ("coupon", "measured, wt%", "predicted, wt%", "z"):
        table.add_column(column, justify="left" if column == "coupon" else "right")
    for row in parameters.weighed:
        measured = f"{row.residual_wt_pct:.2f} ± {row.residual_sd_wt_pct:.2f}" + (", below the limit" if row.below_limit else "")
        table.add_row(Text(row.name), measured, f"{row.predicted_wt_pct:.3f}", f"{row.z:+.1f}")
    source = "the prior's, no coupon was weighed alone" if not parameters.weighed else f"{belief.effective_samples:.0f} effective samples"
    table.caption = (
        f"diffusion at 200 degC {settings.diffusion_m2_s:.2g} m2/s (sd of ln for a roll {settings.diffusion_ln_sd:.2g}), "
        f"E {settings.diffusion_energy_kj_mol:.0f} ± {settings.diffusion_energy_sd_kj_mol:.0f} kJ/mol, "
        f"correlation {settings.drying_correlation[0]:+.2f}; of the coupons best known at {belief.best_known_c:.0f} degC, "
        f"sd of ln {belief.best_known_ln_sd:.2f}; bound {100 * settings.bound_solvent_kg_kg:.1f} % of the polymer "
        f"(sd of ln {settings.bound_solvent_ln_sd:.2f}), free at 200 degC after {1 / settings.release_1_s / 3600:.2g} h "
        f"(sd of ln {settings.release_ln_sd:.2f}), E {settings.release_energy_kj_mol:.0f} ± "
        f"{settings.release_energy_sd_kj_mol:.0f} kJ/mol; {source}"
    )
    return table


def _kept_back(found: Calibration) -> Table:
    table = Table(title="kept back: what the laboratory would find, 90 %", title_justify="left")
    for column in ("coupon", "before", "after", "measured, %", "z", "inside"):
        table.add_column(column, justify="left" if column == "coupon" else "right")
    for row in found.held_out:
        inside = "yes" if row.inside else "NO"
        table.add_row(Text(row.name), _span(row.before), _span(row.after), f"{row.insoluble_pct:.1f}", f"{row.z:+.1f}", inside)
    return table


def drift(sets: Sequence[tuple[Path, ParameterSet, str]]) -> list[Drift]:
    """Return parameter sets (path, set, SHA-256) in the order given, each with its distance from the one before.

    Two independent beliefs differ with the variance s1^2 + s2^2. A set that has learnt from the one before moves, if the lot has not
    changed, with what was learnt: s1^2 - s2^2 for the same lot, and s1^2 + d^2 - s2^2 with d for the lots' spread allowed for another one.
    """
    rows: list[Drift] = []
    for i, (path, found, _) in enumerate(sets):
        told = [_moved(sets[i - 1], found, index) if i else None for index in (TIME, ENERGY)]
        mean, sd = found.posterior.mean, found.posterior.sd
        spans = [(mean[index], mean[index] - _Z90 * sd[index], mean[index] + _Z90 * sd[index]) for index in (TIME, ENERGY)]
        gel_time_h = Interval(*(exp(one) for one in spans[0]))
        rows.append(
            Drift(path.name, found.version, found.lot, found.date, gel_time_h, Interval(*spans[1]), told[0], told[1], found.warnings)
        )
    return rows


def _moved(before: tuple[Path, ParameterSet, str], found: ParameterSet, index: int) -> float:
    was = before[1]
    step = found.posterior.mean[index] - was.posterior.mean[index]
    if found.parent_sha256 != before[2]:
        return step / hypot(was.posterior.sd[index], found.posterior.sd[index])
    learnt = float(was.prior_for(found.lot).covariance[index, index]) - found.posterior.sd[index] ** 2
    return step / sqrt(max(learnt, 1e-3 * found.posterior.sd[index] ** 2))


def drift_table(rows: Sequence[Drift]) -> RenderableType:
    """Return the drift over parameter sets as a table, and each set's warnings; a significant change has a star."""
    table = Table(title="drift over lots (median, 90 %)", title_justify="left")
    table.caption = f"change in standard deviations from the set before; * significant, more than {_SIGNIFICANT:g}"
    for column in ("set", "version", "lot", "date", "gel time at 240 degC, h", "change", "E, kJ/mol", "change"):
        table.add_column(column, no_wrap=column == "change")
    for row in rows:
        spans = (_span(row.gel_time_h, 3), _span(row.energy_kj_mol))
        table.add_row(
            Text(row.file), str(row.version), Text(row.lot), row.date, spans[0], _change(row.gel_time_z), spans[1], _change(row.energy_z)
        )
    return Group(table, *(Text(f"{row.file}: warning: {said}") for row in rows for said in row.warnings))


def _span(found: Interval, digits: int = 1) -> str:
    shown = [f"{one:.{digits}f}" for one in found]
    return f"{shown[0]} [{shown[1]} to {shown[2]}]"


def _change(z: float | None) -> str:
    return "" if z is None else f"{z:+.1f}{'*' if abs(z) > _SIGNIFICANT else ''}"
