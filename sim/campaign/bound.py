"""What nobody could know of a batch before a coupon of it is in the laboratory: the bound under which no estimate can come.

Nothing in an oven shows crosslinking, so that the rate by which a batch differs from its lot, ``Parameters.rate_factor``, stays unknown.
An observer that knew the lot, the law and every film's history exactly would foretell the insoluble content of a batch with the lot's own
rate. Chemistry and mobility both go with that rate; to the first order the crosslinks of the batch are those divided by its factor. The
error of such an observer is the least that any can have, in the root mean square over batches.
"""

from sim.plant.cure import gel_fraction
from sim.plant.plant import Plant


def unforeseeable(plant: Plant) -> float:
    """Return by how much the insoluble content over the roll lies above that with the lot's own rate, as a fraction; 0 without a roll."""
    p, chemistry = plant.parameters, plant.chemistry
    if chemistry is None:
        return 0.0
    areas = chemistry.areas_m2 / chemistry.areas_m2.sum()
    plain = p.delta_start + (chemistry.deltas - p.delta_start) / p.rate_factor
    return sum(
        float(share) * (gel_fraction(own, p.pdi, p.scission) - gel_fraction(lots, p.pdi, p.scission))
        for share, own, lots in zip(areas.tolist(), chemistry.deltas.tolist(), plain.tolist(), strict=True)
    )
