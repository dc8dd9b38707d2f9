"""A dry run: a recipe and a load on the model, over everything that is not known of the product, answered with a receipt.

The receipt says what a process engineer wants to know before a roll goes in, and which interlocks would act. It is a prediction of the
model, not a permission: start checks and interlocks stay what they are.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from controller.commands import load_state
from controller.equipment import Equipment
from controller.estimator import outlook
from controller.estimator.members import MEMBERS
from controller.estimator.model import UNCALIBRATED, Leg, LegKind
from controller.estimator.outlook import Outlook, Peak
from controller.image import Interval
from controller.interlocks.limits import Limits
from controller.memory import Settings
from controller.plan import cooled, legs_of
from controller.recipe import flow
from controller.recipe.check import lot_warnings
from controller.recipe.model import Branch, Cure, CyclePurge, LoadRecord, PurgeFlow, Recipe, ThermalPhase
from controller.recipe.phases import timeout_rule
from controller.scan import target_of
from controller.solvents import SOLVENTS
from controller.units import NORMAL_M3_MOL

AIR_O2_PCT: Final = 20.9
SUPPLY_O2_PCT: Final = 0.001  # [assume] 10 ppm in the nitrogen
ACCEPTED_ENDPOINT: Final = 0.9  # probability of reaching the endpoint below which the receipt warns
ACCEPTED_WINDOW: Final = 0.8
ACCEPTED_TIMED: Final = 0.5  # of the time recipe, which knows nothing of the roll
CLIFF_PCT: Final = 30.0  # an insoluble content aimed at below lies on the cliff at the gel point


class Figure(NamedTuple):
    """One number of the receipt: 5/50/95 %, its limit if it has one, and where on the way it stands."""

    name: str
    unit: str
    value: Interval
    limit: float | None
    at_h: float | None
    phase: str
    rule: str  # that acts beyond the limit


class Acting(NamedTuple):
    """An interlock that would act on the median or on more than one in twenty members."""

    rule: str
    phase: str
    why: str


class Receipt(NamedTuple):
    """The answer to a dry run. Fractions as wt% and %, times in hours."""

    recipe: str
    recipe_sha256: str
    members: int
    lot: str | None  # whose parameters they have; None: nobody said of which
    unsolved: int
    duration_h: Interval
    cures: bool  # whether the recipe has a CURE, which the endpoint is for
    endpoint_h: Interval | None
    p_endpoint: float
    p_in_window: float
    residual_wt_pct: Interval
    insoluble_pct: Interval
    by_time_pct: Interval | None  # insoluble content, were the model to fail and the CURE to end by its fallback time
    p_by_time: float  # that it lies in the window then
    phases_h: tuple[tuple[str, float], ...]  # phase and when it ends
    figures: tuple[Figure, ...]
    interlocks: tuple[Acting, ...]
    warnings: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """Return READY or DOUBTFUL."""
        return "DOUBTFUL" if self.interlocks or self.warnings else "READY"


def dry_run(settings: Settings, recipe: Recipe, recipe_sha256: str, load: LoadRecord) -> Receipt:
    """Return the receipt of ``recipe`` with ``load``; both have passed their checks. Takes some tenths of a second."""
    equipment, limits = settings.equipment, settings.limits
    legs = legs_of(recipe, equipment)
    seen = _outlook(settings, recipe, load, legs)
    timed = _outlook(settings, recipe, load, _by_time(recipe, legs)) if cures(recipe) else None
    names = tuple(phase.title for phase in recipe.phase)
    way = flow.expected(recipe)
    shown = [index in way and not isinstance(phase, Branch) for index, phase in enumerate(recipe.phase)]
    evolution, blister = seen.evolution_kg_h, seen.blister
    figures = [
        Figure(
            "solvent rate against pump and condenser",
            "kg/h",
            evolution.value,
            limits.evolution_share * equipment.solvent_kg_h,
            *_where(evolution, names),
            "I18",
        ),
        Figure("blister number while rubbery", "", blister.value, limits.blister_warn, *_where(blister, names), "I18B"),
        Figure("solvent load against the cold trap", "kg", seen.solvent_kg, limits.trap_share * equipment.trap_kg, None, "", "I17"),
        Figure("solvent load against what is permitted", "kg", seen.solvent_kg, equipment.solvent_kg, None, "", "I17"),
    ]
    if seen.lean_kg_nm3 is not None:
        share = Interval(*(lel_pct(point, settings.estimator.solvent) for point in seen.lean_kg_nm3.value))
        figures.append(
            Figure("solvent in flowing N2, of the LEL", "%", share, limits.lel_hold_pct, *_where(seen.lean_kg_nm3, names), "I16")
        )
    o2_pct = purged_o2_pct(recipe)
    figures.append(Figure("O2 after the purge", "vol%", Interval(o2_pct, o2_pct, o2_pct), recipe.endpoint.max_o2_ppm / 1e4, None, "", "I8"))
    return Receipt(
        recipe=f"{recipe.id} rev {recipe.revision}",
        recipe_sha256=recipe_sha256,
        members=MEMBERS,
        lot=settings.estimator.lot,
        unsolved=seen.unsolved,
        duration_h=_hours(seen.duration_s),
        cures=cures(recipe),
        endpoint_h=None if seen.endpoint_s is None else _hours(seen.endpoint_s),
        p_endpoint=seen.p_endpoint,
        p_in_window=seen.p_in_window,
        residual_wt_pct=Interval(*(100 * point for point in seen.residual)),
        insoluble_pct=Interval(*(100 * point for point in seen.insoluble)),
        by_time_pct=None if timed is None else Interval(*(100 * point for point in timed.insoluble)),
        p_by_time=0.0 if timed is None else timed.p_in_window,
        phases_h=tuple((name, round(end / 3600, 3)) for name, end, on_way in zip(names, seen.leg_ends_s, shown, strict=False) if on_way),
        figures=tuple(figures),
        interlocks=tuple(_acting(settings.limits, equipment, recipe, seen, figures, names)),
        warnings=(*_warnings(recipe, seen, timed), *_unknown(settings), *lot_warnings(load, settings.estimator.lot)),
    )


def purged_o2_pct(recipe: Recipe) -> float:
    """Return the O2 that the recipe's purges leave, vol%: 20.9 (P_low/P_high)^n for cycles, 20.9 e^-V for a flow, and the supply's own."""
    left, way = AIR_O2_PCT, flow.expected(recipe)
    for phase in (phase for index, phase in enumerate(recipe.phase) if index in way):
        if isinstance(phase, ThermalPhase) and not phase.shut:
            break
        if isinstance(phase, CyclePurge):
            left *= (phase.low_mbar / phase.high_mbar) ** phase.cycles
            left = left if phase.computed_o2_pct is None else min(left, phase.computed_o2_pct)
        elif isinstance(phase, PurgeFlow):
            left *= 2.718281828459045**-phase.volumes
    return left + SUPPLY_O2_PCT


def _where(peak: Peak, names: tuple[str, ...]) -> tuple[float, str]:
    return round(peak.at_s / 3600, 3), names[peak.leg] if peak.leg < len(names) else ""


def _hours(seconds: Interval) -> Interval:
    return Interval(*(round(point / 3600, 3) for point in seconds))


def lel_pct(lean_kg_nm3: float, solvent_name: str) -> float:
    """Return the vapour in the gas as percent of its lower explosive limit, for so much solvent per N2 sent through."""
    solvent = SOLVENTS[solvent_name]
    vapour = lean_kg_nm3 / (solvent.molar_mass_g_mol / 1e3) / NORMAL_M3_MOL  # Nm3 per Nm3
    return 100 * 100 * vapour / (1 + vapour) / solvent.lel_pct


def _unit(figure: Figure) -> str:
    return f" {figure.unit}" if figure.unit else ""


def _acting(
    limits: Limits, equipment: Equipment, recipe: Recipe, seen: Outlook, figures: list[Figure], names: tuple[str, ...]
) -> list[Acting]:
    found = [
        Acting(figure.rule, figure.phase, f"{figure.name}: {figure.value.high:.3g}{_unit(figure)}, limit {figure.limit:g}")
        for figure in figures
        if figure.limit is not None and figure.value.high > figure.limit
    ]
    found += [
        Acting(timeout_rule(recipe.phase[leg]), names[leg], "the median roll does not finish the phase before its timeout")
        for leg in seen.late
        if leg < len(names)
    ]
    if seen.endpoint_s is None and cures(recipe):
        found.append(Acting("I31T", "CURE", "the endpoint is not met before the cure's timeout"))
    if seen.hottest_c > equipment.max_c + limits.deviation_c:
        found.append(Acting("I23", "", f"hottest film {seen.hottest_c:.0f} degC"))
    return found


def _outlook(settings: Settings, recipe: Recipe, load: LoadRecord, legs: tuple[Leg, ...]) -> Outlook:
    oven, way = settings.equipment, cooled(legs, settings.limits.inner_share)
    return outlook.look(settings.estimator, oven, load_state(load, oven.chamber_m3), way, target_of(recipe.endpoint))


def _by_time(recipe: Recipe, legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    """Return ``legs`` with the CUREs on the expected way ended by no valid estimate, but by their fallback time."""
    return tuple(
        leg._replace(kind=LegKind.SOAK, least_s=60.0 * phase.fallback_min) if isinstance(phase, Cure) and leg.kind is LegKind.CURE else leg
        for phase, leg in zip(recipe.phase, legs, strict=False)
    )


def _unknown(settings: Settings) -> list[str]:
    return [] if settings.estimator.calibrated else [UNCALIBRATED]


def _warnings(recipe: Recipe, seen: Outlook, timed: Outlook | None) -> list[str]:
    end, found = recipe.endpoint, []
    if not cures(recipe):  # nothing ends by the endpoint
        return [_unsolved(seen)] if seen.unsolved else []
    if seen.p_endpoint < ACCEPTED_ENDPOINT:
        found.append(f"P(endpoint before the timeout) {seen.p_endpoint:.2f}, wanted {ACCEPTED_ENDPOINT:g}")
    if seen.p_in_window < ACCEPTED_WINDOW:
        window = f"{end.insoluble_low_pct:g}-{end.insoluble_high_pct:g} %"
        found.append(f"P(insoluble content of all layers in {window}) {seen.p_in_window:.2f}, wanted {ACCEPTED_WINDOW:g}")
    if timed is not None and timed.p_in_window < ACCEPTED_TIMED:
        low, middle, high = (round(100 * point) for point in (timed.insoluble.low, timed.insoluble.value, timed.insoluble.high))
        found.append(
            f"without a valid estimate the CURE's fallback_min leaves {middle} % [{low}, {high}], "
            f"in the window with {timed.p_in_window:.2f} only"
        )
    if end.insoluble_aim_pct < CLIFF_PCT:
        spread = f"{100 * seen.insoluble.low:.0f}-{100 * seen.insoluble.high:.0f} %"
        found.append(f"aim {end.insoluble_aim_pct:g} % lies on the cliff at the gel point: expect {spread}")
    if seen.unsolved:
        found.append(_unsolved(seen))
    return found


def _unsolved(seen: Outlook) -> str:
    return f"{seen.unsolved} of {MEMBERS} members could not be solved"


def cures(recipe: Recipe) -> bool:
    """Return whether the expected way through ``recipe`` has a CURE, so that its endpoint matters."""
    return any(recipe.phase[index].kind == "CURE" for index in flow.expected(recipe))


def plain(value: Any) -> Any:
    """Return named tuples as dicts and tuples as lists, for JSON."""
    if isinstance(value, Interval):
        return {key: round(point, 6) for key, point in value._asdict().items()}
    if hasattr(value, "_asdict"):
        return {key: plain(item) for key, item in value._asdict().items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def lines(receipt: Receipt) -> Iterator[str]:
    """Yield the receipt as text, one fact a line; ranges are 5-95 % of the members."""
    source = "parameters of no named lot" if receipt.lot is None else f"the parameters of lot {receipt.lot}"
    yield f"{receipt.recipe}: {receipt.verdict}, {receipt.members} members of {source}, recipe sha256 {receipt.recipe_sha256[:16]}"
    yield f"duration               {_said(receipt.duration_h)} h"
    if receipt.cures:
        yield f"endpoint               {'not before the timeout' if receipt.endpoint_h is None else _said(receipt.endpoint_h) + ' h'}"
        yield f"P(endpoint reached)    {receipt.p_endpoint:.2f}"
        yield f"P(insoluble in window) {receipt.p_in_window:.2f}"
    else:
        yield "endpoint               none: the recipe has no CURE"
    yield f"residual solvent then  {_said(receipt.residual_wt_pct)} wt%"
    yield f"insoluble, once cold   {_said(receipt.insoluble_pct)} %"
    if receipt.by_time_pct is not None:
        yield f"were the model to fail {_said(receipt.by_time_pct)} % by fallback_min, in the window with {receipt.p_by_time:.2f}"
    for figure in receipt.figures:
        limit = "" if figure.limit is None else f", limit {figure.limit:g}"
        place = f", at {figure.at_h:g} h in {figure.phase}" if figure.at_h is not None and figure.value.high > 0 else ""
        yield f"{figure.name}: {_said(figure.value)}{_unit(figure)}{limit}{place}"
    for name, end_h in receipt.phases_h:
        yield f"  {end_h:7.2f} h  end of {name}"
    for acting in receipt.interlocks:
        yield f"would act: {acting.rule}{' in ' + acting.phase if acting.phase else ''}, {acting.why}"
    for warning in receipt.warnings:
        yield f"warning: {warning}"


def _said(interval: Interval) -> str:
    return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]"
