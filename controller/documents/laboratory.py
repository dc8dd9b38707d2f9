"""The reference of the laboratory's file, made from the classes that read it."""

from typing import Final

from controller.journal.product import LIMITS, Coupon, LabFile, Properties
from controller.recipe.printing import allowed, section

EXAMPLE: Final = """lot = "R-2207"
resin = "PAI"
solvent = "NMP"
date = "2026-11-20"

[[coupons]]
name = "A1"
position = "shelf 2"
history = [[0, 230.0], [9.0, 230.0]]
insoluble_pct = 41.5
insoluble_sd_pct = 1.5
residual_wt_pct = 0.4
film_um = 20.0
assay = { solvent = "NMP", extraction_c = 80, extraction_h = 24, concentration_wt_pct = 0.5 }

[[coupons]]
name = "B7"
position = "core, 490 m"
batch = 7
zone = "core"
insoluble_pct = 52.0
insoluble_sd_pct = 1.5
assay = { solvent = "NMP", extraction_c = 80, extraction_h = 24, concentration_wt_pct = 0.5 }

[lab]
adhesion_g_per_mm = 95.0
"""
_HEAD: Final = """# The laboratory's file

Made by `ovenctl print lab`; a test keeps it fresh. TOML, or JSON with the same keys; read by `ovenctl calibrate LAB.toml` and
`ovenctl report --coupons LAB.toml`. A key without a default must be given.

**For a calibration** the file or every coupon has `lot`, and a coupon that is learnt from has `insoluble_pct`, `insoluble_sd_pct`, a
name of its own, `batch` and `zone` or `history`, and in `assay` the keys `solvent` (text), `extraction_c` and `extraction_h` (numbers),
the same in all coupons of a lot; `concentration_wt_pct` (film in the solvent) should be there too.

**The parameters hold for their lot**, whose name stands in their `[estimator]`. With a load record whose `resin_lot` is another,
`ovenctl recipe check` and `dryrun` warn and START is refused; without `lot` in `[settings.estimator]` any lot is taken.

**In a batch report** a coupon is held against the estimate of its `zone`, without one against the roll's mean and, of the solvent, the
worst zone; one with another `batch` or a `history` is shown as not of this batch.
"""


def laboratory_file() -> str:
    """Return the reference as Markdown."""
    parts = [
        _HEAD,
        section("At the head", "", LabFile, ("coupons", "lab")),
        section("[[coupons]]", (Coupon.__doc__ or "").replace("``", "`"), Coupon, ()),
    ]
    parts.append("\n## [lab]\n\nProperties of the product, each judged by its limit.\n\n")
    parts.append("| key | unit | allowed | meaning | passes |\n|---|---|---|---|---|\n")
    for key, what in LIMITS.items():
        limit = f"at most {what.high:g}" if what.low == float("-inf") else f"at least {what.low:g}"
        parts.append(f"| `{key}` | {what.unit} | {allowed(Properties.model_fields[key])} | {what.text} | {limit} |\n")
    return "".join([*parts, f"\n## Example\n\n```toml\n{EXAMPLE}```\n"])
