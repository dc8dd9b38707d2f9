"""The proof of the atmosphere (I5, I10): counted from measurements, lost when air may have come in or nobody watched."""

from typing import Final, NamedTuple

from controller.image import Inputs, Process
from controller.interlocks import gauges as watching
from controller.interlocks.limits import Limits

OPEN_S: Final = 0.5


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

    @property
    def proven(self) -> bool:
        """Return whether heat may be permitted as far as the atmosphere goes."""
        return self.vacuum_proven or self.inert_proven


def step(proof: Proof, limits: Limits, chamber_m3: float, inputs: Inputs, process: Process, heating: bool, throttle_pct: float) -> Proof:
    """Return the proof after this scan (see ``_prove``), with the watch over the gauges that it rests on."""
    watch = watching.step(proof.gauges, limits, chamber_m3, inputs, throttle_pct)
    proof = _prove(proof, limits, chamber_m3, inputs, process, heating)
    return proof if watch == proof.gauges else proof._replace(gauges=watch)


def _prove(proof: Proof, limits: Limits, chamber_m3: float, inputs: Inputs, process: Process, heating: bool) -> Proof:
    """Return the proof after this scan.

    It starts again at nothing when a door switch or the vent does not say "closed", whatever the gauges read, and when the PLC was
    restarted (nobody watched). Without an image or a pressure nothing is counted and nothing proven. On the inert path O2 must be *valid*
    and below the limit; a reading under vacuum is no evidence.
    """
    boot_id, pressure = inputs.plc_boot_id.value, process.pressure_mbar
    if boot_id is None or pressure is None:
        proof = proof._replace(low_s=0.0, vacuum_proven=False, inert_proven=False)
    if boot_id is None:
        return proof
    opened = inputs.door_closed_a.value is not True or inputs.door_closed_b.value is not True or inputs.vent_valve_closed.value is not True
    open_s = proof.open_s + inputs.dt_s if opened else 0.0
    if opened and open_s < OPEN_S:  # a switch may flicker; heat is forbidden meanwhile by I3
        return proof._replace(open_s=open_s)
    if opened or boot_id != proof.boot_id:
        return Proof(boot_id=boot_id, open_s=open_s, leak_ok=proof.leak_ok and not opened, gauges=proof.gauges)
    if pressure is None:
        return proof._replace(open_s=0.0)
    counted = proof.evacuated and pressure >= limits.cycle_high_mbar
    evacuated = not counted and (proof.evacuated or pressure <= limits.cycle_low_mbar)
    cycles = proof.cycles + counted
    sent = 0.0
    flow = inputs.n2_flow_nm3_h.value
    if flow is not None and inputs.exhaust_valve_open.value is True and pressure >= limits.o2_analyser_from_mbar:
        sent = flow / 3600.0 * inputs.dt_s / chamber_m3
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
        inputs.n2_valve_open.value is not True and (proof.drawn or pressure <= limits.proof_mbar),
    )
