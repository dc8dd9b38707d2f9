"""Runs of a campaign made by hand."""

from sim.campaign.outcome import Believed, CureEnd, Run, Trace


def trace(cure_s, residual, insoluble, seen_kg=None, spread=0.0, own_s=None):
    """Return a trace made by hand; the insoluble content of all films lies within ``spread`` of its mean."""
    count = len(cure_s)
    return Trace(
        began_s=3600.0, own_s=own_s, own_why="", ended="left the window", cure_s=cure_s, residual=residual, insoluble=insoluble,
        insoluble_min=[x - spread for x in insoluble], insoluble_max=[x + spread for x in insoluble],
        believed_residual=[(0.0, 0.0, 0.0)] * count, believed_insoluble=[(0.0, 0.0, 0.0)] * count, p_solvent_ok=[1.0] * count,
        p_insoluble_in_window=[1.0] * count, valid=[True] * count, seen_kg=[0.0] * count if seen_kg is None else seen_kg,
    )  # fmt: skip


def cure_end(cure_s, residual, insoluble, spread=0.0, why="endpoint", valid=True):
    """Return a product whose estimates are given as (low, value, high, truth)."""
    one_residual, one_insoluble = (Believed(estimate=(x[1], x[0], x[2]), truth=x[3]) for x in (residual, insoluble))
    return CureEnd(
        at_s=3600.0 + cure_s, cure_s=cure_s, why=why, valid=valid, residual=one_residual, insoluble=one_insoluble, coming=0.0,
        insoluble_min=insoluble[3] - spread, insoluble_max=insoluble[3] + spread, unforeseeable=0.0, residual_at={"core": one_residual},
        insoluble_at={"core": one_insoluble},
    )  # fmt: skip


def run(
    seed, traced=None, ended=None, predicted_cure_s=None, struck=None, unsafe=(), foreseen=(), drying=(), gelling=(), state="COMPLETE",
    product=None,
):  # fmt: skip
    """Return a run made by hand: 1 h before the CURE, 1 h after it."""
    return Run(
        seed=seed, recipe_sha256="r", load_sha256="l", code_sha256="c", scan_s=2.0, fault="", world="near", unit_state=state, result="",
        batch_s=7200.0 + (0.0 if ended is None else ended.cure_s), endpoint_s=None, predicted_cure_s=predicted_cure_s,
        predicted_endpoint_s=None if predicted_cure_s is None else 3600.0 + predicted_cure_s, unsafe=list(unsafe), alarms=[],
        cure_end=ended, product=product, foreseen=list(foreseen), drying=list(drying), gelling=list(gelling), trace=traced,
        struck=struck, wall_s=1.0,
    )  # fmt: skip
