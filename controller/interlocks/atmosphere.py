"""The proof of the atmosphere (I5, I10): counted from measurements, lost when air may have come in or nobody watched."""

from typing import Final, NamedTuple

from controller.image import Inputs, Process, stands_open
from controller.interlocks import gauges as watching
from controller.interlocks.limits import Limits
from controller.units import ATMOSPHERE_MBAR, ZERO_C_K

OPEN_S: Final = 0.5
FED_SHARE: Final = 0.75  # of the N2 that a rise needs, which FT-402 must have shown: free volume and gas temperature are not exact
N2_CYCLES_BEFORE_AIR: Final = 2
DOOR_AIRS: Final = 15.0  # [assume] in a minute an open door airs as much as a sweep in a quarter of an hour
FED_BAND_MBAR: Final = 50.0  # a rise up to this needs none: gas that warms, film that gives off


class Proof(NamedTuple):
    """What has been shown of the gas in the chamber since air was last let in."""

    cycles: int = 0
    evacuated: bool = False  # went below the low pressure, waits for the high one
    volumes: float = 0.0  # N2 sent through at about ambient pressure, chamber volumes
    low_s: float = 0.0  # how long the pressure has been at or below the proof pressure
    leak_ok: bool = False
    boot_id: int = 0
    open_s: float = 0.0  # how long a door switch or the vent has not said "closed"
    cycles_since_heat: int = 0  # I19
    volumes_since_heat: float = 0.0  # I19
    vacuum_proven: bool = False
    inert_proven: bool = False
    gauges: watching.Watch = watching.Watch()
    drawn: bool = False  # at or below the proof pressure, and no N2 let in since: whatever raises it is air or vapour (I6)
    low_mbar: float | None = None  # lowest pressure since the pump last worked on the chamber
    fed_nm3: float = 0.0  # N2 that FT-402 has shown since then
    shut_mbar: float | None = None  # lowest pressure since the chamber was shut and no N2 flowed in; None while it is not
    swept_s: float = 0.0  # how long air was drawn through since N2 or pump may have worked on the chamber (I19N)

    @property
    def proven(self) -> bool:
        """Return whether heat may be permitted as far as the atmosphere goes."""
        return self.vacuum_proven or self.inert_proven

    def washed(self, volumes: float) -> bool:
        """Return whether N2 has carried the vapour out since the last heat: in cycles, or in so many chamber volumes (I19)."""
        return self.cycles_since_heat >= N2_CYCLES_BEFORE_AIR or self.volumes_since_heat >= volumes


def step(proof: Proof, limits: Limits, chamber_m3: float, inputs: Inputs, process: Process, heating: bool, throttle_pct: float) -> Proof:
    """Return the proof after this scan (see ``_prove``), with the watch over the gauges that it rests on."""
    watch = watching.step(proof.gauges, limits, chamber_m3, inputs, throttle_pct)
    swept_s = _swept(proof, limits, inputs)
    proof = _prove(proof, limits, chamber_m3, inputs, process, heating)
    return proof if watch == proof.gauges and swept_s == proof.swept_s else proof._replace(gauges=watch, swept_s=swept_s)


def _prove(proof: Proof, limits: Limits, chamber_m3: float, inputs: Inputs, process: Process, heating: bool) -> Proof:
    """Return the proof after this scan.

    It starts again at nothing when a door switch or the vent does not say "closed", whatever the gauges read, and when the PLC was
    restarted (nobody watched). Without an image or a pressure nothing is counted and nothing proven. On the inert path O2 must be *valid*
    and below the limit; a reading under vacuum is no evidence. A rise that the N2 meter does not account for is air: it is no cycle, and
    ends the proof and that of the leak test.
    """
    boot_id, pressure = inputs.plc_boot_id.value, process.pressure_mbar
    if boot_id is None or pressure is None:
        proof = proof._replace(low_s=0.0, vacuum_proven=False, inert_proven=False)
    if boot_id is None:
        return proof
    door = inputs.door_closed_a.value is not True or inputs.door_closed_b.value is not True
    opened = door or inputs.vent_valve_closed.value is not True
    open_s = proof.open_s + inputs.dt_s if opened else 0.0
    if opened and open_s < OPEN_S:  # a switch may flicker; heat is forbidden meanwhile by I3
        return proof._replace(open_s=open_s)
    if opened or boot_id != proof.boot_id:
        # a PLC that starts shuts every valve: what raises a drawn vacuum meanwhile is air or vapour as before (I6)
        after = Proof(boot_id=boot_id, open_s=open_s, leak_ok=proof.leak_ok and not opened, gauges=proof.gauges,
                      drawn=proof.drawn and not opened)  # fmt: skip
        if stands_open(inputs) or heating or boot_id != proof.boot_id:
            return after
        # air through the vent brings no vapour back: a VENT that was safe to begin stays so to its end (I19)
        return after._replace(cycles_since_heat=proof.cycles_since_heat, volumes_since_heat=proof.volumes_since_heat)
    if pressure is None:  # what flows through an open exhaust washes all the same
        return proof._replace(
            open_s=0.0, cycles_since_heat=0 if heating else proof.cycles_since_heat,
            volumes_since_heat=0.0 if heating else proof.volumes_since_heat + _through(inputs, chamber_m3),
        )  # fmt: skip
    proof = _fed(proof, inputs, pressure)
    high = pressure >= limits.cycle_high_mbar
    if high and not accounted(proof, chamber_m3, process, pressure):
        proof = lost(proof)._replace(leak_ok=False)
    counted = proof.evacuated and high
    evacuated = not counted and (proof.evacuated or pressure <= limits.cycle_low_mbar)
    cycles = proof.cycles + counted
    sent = _through(inputs, chamber_m3) if pressure >= limits.o2_analyser_from_mbar else 0.0
    volumes = proof.volumes + sent
    low_s = proof.low_s + inputs.dt_s if pressure <= limits.proof_mbar else 0.0
    o2_ok = process.o2_pct is not None and process.o2_pct <= limits.proof_o2_pct
    purged = volumes >= limits.proof_volumes or cycles >= limits.proof_cycles
    return Proof(
        cycles,
        evacuated,
        volumes,
        low_s,
        proof.leak_ok,
        boot_id,
        0.0,
        0 if heating else proof.cycles_since_heat + counted,
        0.0 if heating else proof.volumes_since_heat + sent,
        low_s >= limits.proof_s and cycles >= limits.proof_cycles and proof.leak_ok,
        o2_ok and purged,
        proof.gauges,
        not _n2_comes(inputs) and (proof.drawn or pressure <= limits.proof_mbar),
        proof.low_mbar,
        proof.fed_nm3,
        _shut(proof, inputs, pressure),
    )


def _swept(proof: Proof, limits: Limits, inputs: Inputs) -> float:
    """Return for how long air was drawn through the chamber: by the exhaust's fan, in at the vent and out at the exhaust.

    A door that stands open airs, too. What was drawn through counts no more once N2 or pump may have worked on
    the chamber, or nobody watched; air of a hall that lacks O2 does not count.
    """
    if inputs.plc_boot_id.value != proof.boot_id:
        return 0.0
    if stands_open(inputs):
        return min(proof.swept_s + DOOR_AIRS * inputs.dt_s, limits.sweep_s)
    flow, room_pct = inputs.n2_flow_nm3_h.value, inputs.room_o2_pct.value
    comes = inputs.n2_valve_closed.value is not True or (flow is not None and flow >= watching.METER_ZERO_NM3_H)
    if comes or inputs.vac_valve_closed.value is not True:
        return 0.0
    draws = inputs.vent_valve_open.value is True and inputs.exhaust_valve_open.value is True and inputs.exhaust_run.value is True
    breathes = room_pct is None or room_pct >= limits.room_o2_warn_pct
    return proof.swept_s + inputs.dt_s if draws and breathes else proof.swept_s


def _through(inputs: Inputs, chamber_m3: float) -> float:
    """Return what this scan's N2 sends through the open exhaust, chamber volumes."""
    flow = inputs.n2_flow_nm3_h.value
    return 0.0 if flow is None or inputs.exhaust_valve_open.value is not True else flow / 3600.0 * inputs.dt_s / chamber_m3


def _n2_comes(inputs: Inputs) -> bool:
    """Return whether N2 is let in: its valve says so, or does not say "closed" while the meter shows a flow."""
    if inputs.n2_valve_open.value is True:
        return True
    return inputs.n2_valve_closed.value is not True and (inputs.n2_flow_nm3_h.value or 0.0) >= watching.METER_ZERO_NM3_H


def _shut(proof: Proof, inputs: Inputs, pressure_mbar: float) -> float | None:
    """Return the lowest pressure of a chamber that neither N2 nor pump works on; N2 flows on while its valve shuts."""
    shut = inputs.vac_valve_closed.value is True and inputs.n2_valve_closed.value is True
    if not shut or (inputs.n2_flow_nm3_h.value or 0.0) >= watching.METER_ZERO_NM3_H:
        return None
    return pressure_mbar if proof.shut_mbar is None else min(proof.shut_mbar, pressure_mbar)


def lost(proof: Proof) -> Proof:
    """Return what is left of the proof when air has come in through no door and no vent: nothing, until it is all shown anew."""
    return proof._replace(cycles=0, evacuated=False, volumes=0.0, low_s=0.0, vacuum_proven=False, inert_proven=False)


def _fed(proof: Proof, inputs: Inputs, pressure_mbar: float) -> Proof:
    """Return the proof with the pressure from which a rise counts and the N2 that was fed since; both begin anew whenever the pump works.

    What is fed while the meter does not read is not known: no cycle, and the rise counts from there on.
    """
    low_mbar, flow = proof.low_mbar, inputs.n2_flow_nm3_h.value
    if inputs.vac_valve_open.value is True:
        anew = low_mbar is None or proof.fed_nm3 > 0.0
        return proof._replace(low_mbar=pressure_mbar if anew or low_mbar is None else min(low_mbar, pressure_mbar), fed_nm3=0.0)
    if inputs.n2_valve_open.value is not True:
        return proof._replace(low_mbar=pressure_mbar if low_mbar is None else min(low_mbar, pressure_mbar))
    if flow is None:
        return proof._replace(evacuated=False, low_mbar=pressure_mbar, fed_nm3=0.0)
    return proof._replace(low_mbar=pressure_mbar if low_mbar is None else low_mbar, fed_nm3=proof.fed_nm3 + flow / 3600.0 * inputs.dt_s)


def accounted(proof: Proof, chamber_m3: float, process: Process, pressure_mbar: float) -> bool:
    """Return whether the N2 that was fed accounts for the rise; a warm chamber needs less, one of unknown temperature all of it."""
    rise_mbar = pressure_mbar - (pressure_mbar if proof.low_mbar is None else proof.low_mbar)
    warmest_c = max((temp_c for temp_c in (process.zone_max_c, process.load_max_c) if temp_c is not None), default=0.0)
    needs_nm3 = chamber_m3 * rise_mbar / ATMOSPHERE_MBAR * ZERO_C_K / (ZERO_C_K + warmest_c)
    return rise_mbar <= FED_BAND_MBAR or proof.fed_nm3 >= FED_SHARE * needs_nm3
