"""The report's page on the estimate: pictures and rows, ready to be put on paper."""

from typing import Final, NamedTuple, Self

import numpy as np

from controller.image import PressureRise
from controller.journal import batch as facts
from controller.journal import belief
from controller.journal.batch import Record
from controller.journal.belief import Foreseen, Margin
from controller.journal.chart_forecast import fans
from controller.journal.chart_guard import guard
from controller.journal.chart_product import product
from controller.journal.entry import Stored
from controller.journal.reference import Reference
from controller.journal.table import thin

_SMALL: Final = 400  # points of a small panel, and of one over the page's width
_WIDE: Final = 1200


class Believed(NamedTuple):
    """What the page shows. A picture is empty when the journal does not hold what it needs."""

    product: str
    fans: str
    guard: str
    foreseen: list[Foreseen]
    rises: list[PressureRise]
    margins: list[Margin]
    notes: list[Stored]
    reference: Reference | None

    @classmethod
    def of(cls, record: Record, reference: Reference | None) -> Self:
        """Return the page of ``record``; ``reference`` is drawn beside what was believed."""
        from markupsafe import Markup

        made, rises = belief.foreseen(record), belief.rises(record)
        marks, start_s = facts.marks_of(record), record.start.at_s
        by_position = np.isfinite(record.table.columns["residual_core"]).any()
        small, wide = thin(record.table, _SMALL), thin(record.table, _WIDE)
        limit = belief.solvent_limit_kg_h(record)
        return cls(
            product=Markup(product(small, start_s, marks, reference) if by_position else ""),
            fans=Markup(fans(small, start_s, marks, made, reference) if made and by_position else ""),
            guard=Markup(guard(wide, start_s, marks, belief.acting(record), rises, limit, reference) if by_position else ""),
            foreseen=made,
            rises=rises,
            margins=belief.margins(record),
            notes=belief.watched(record),
            reference=reference,
        )
