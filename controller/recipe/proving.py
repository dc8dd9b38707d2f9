"""What counts as proof of the atmosphere (I5), as far as recipes and restarts must meet it."""

from typing import Final, NamedTuple

MARGIN: Final = 0.8  # a purge that is to count goes this much beyond the limit: the PLC counts with limits and a gauge reading of its own


class Proving(NamedTuple):
    """The limits of the proof; the defaults are those of the interlocks' limits."""

    cycle_low_mbar: float = 60.0
    cycle_high_mbar: float = 300.0
    cycles: int = 2
    proof_mbar: float = 100.0
    volumes: float = 4.0
    o2_pct: float = 2.0
    o2_from_mbar: float = 900.0  # from here on a reading of the analyser may be evidence

    @property
    def purge_low_mbar(self) -> float:
        """Return the pressure that a purge cycle must be able to go down to, mbar."""
        return MARGIN * self.cycle_low_mbar

    @property
    def purge_high_mbar(self) -> float:
        """Return the pressure up to which a purge cycle must fill, mbar."""
        return self.cycle_high_mbar / MARGIN

    @property
    def vacuum_mbar(self) -> float:
        """Return the highest pressure a vacuum phase may ask for or rise to, mbar; I6 trips at ``proof_mbar``."""
        return MARGIN * self.proof_mbar

    @property
    def purge_volumes(self) -> float:
        """Return the chamber volumes that a flow purge must send."""
        return self.volumes / MARGIN
