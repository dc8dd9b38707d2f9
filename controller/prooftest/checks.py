"""What a cold oven that stands open to its hall must show: each check gives its findings, good and bad."""

from collections.abc import Iterator

from controller.image import Inputs, Process
from controller.interlocks.gauges import contradict
from controller.interlocks.limits import Limits
from controller.prooftest.model import Finding, ProofTestSettings
from controller.tags import Quality, Sample
from controller.units import ATMOSPHERE_MBAR

AIR_O2_PCT = 20.9


def at_rest(settings: ProofTestSettings, limits: Limits, inputs: Inputs, process: Process) -> Iterator[Finding]:
    """Yield what is seen without moving anything."""
    yield _chain(inputs)
    yield from _zones(settings, inputs)
    yield _oven(settings, process)
    yield _gauges(settings, limits, inputs)
    yield _o2(settings, inputs)
    yield _gas(limits, inputs)
    yield _disk(limits, inputs)
    yield _clock(limits, inputs)


def _chain(i: Inputs) -> Finding:
    contactors = (i.main_contactor, i.z1_contactor, i.z2_contactor, i.z3_contactor)
    closed = [sample.value for sample in contactors]
    outputs = [i.z1_op_pct.value, i.z2_op_pct.value, i.z3_op_pct.value]
    healthy = i.hardwired_ok.value is True and i.estop_ok.value is True and i.overtemp_ok.value is True
    opened = not any(value is not False for value in closed) and all(value is not None and value < 0.5 for value in outputs)
    text = f"contactors {'open' if opened else 'not all shown open, or an output is not 0 %'}, hard-wired chain {_good(healthy)}"
    return Finding("heater-enable chain", opened and healthy, text)


def _good(ok: bool) -> str:
    return "healthy" if ok else "open or not read"


def _zones(settings: ProofTestSettings, i: Inputs) -> Iterator[Finding]:
    for zone, samples in (
        (1, (i.z1_tc_a_c, i.z1_tc_b_c, i.z1_tc_c_c, i.z1_limit_c)),
        (2, (i.z2_tc_a_c, i.z2_tc_b_c, i.z2_tc_c_c, i.z2_limit_c)),
        (3, (i.z3_tc_a_c, i.z3_tc_b_c, i.z3_tc_c_c, i.z3_limit_c)),
    ):
        yield _agree(f"zone {zone} thermocouples", samples, settings.zone_c)


def _agree(check: str, samples: tuple[Sample[float], ...], within: float) -> Finding:
    values = [sample.value for sample in samples if sample.value is not None]
    lost = sum(sample.value is None and sample.quality is not Quality.ABSENT for sample in samples)
    if lost or not values:
        return Finding(check, False, f"{lost} of {len(samples)} give no reading")
    apart = max(values) - min(values)
    return Finding(check, apart <= within, f"{apart:.1f} degC apart, allowed {within:g}")


def _oven(settings: ProofTestSettings, process: Process) -> Finding:
    temps = [zone.temp_c for zone in process.zones if zone.temp_c is not None]
    temps += [temp for temp in (process.load_min_c, process.load_max_c) if temp is not None]
    if len(temps) < 3 or process.load_lost:
        return Finding("zones and load", False, "a zone or a load thermocouple gives no reading")
    apart = max(temps) - min(temps)
    return Finding("zones and load", apart <= settings.oven_c, f"{apart:.1f} degC apart, allowed {settings.oven_c:g}")


def _gauges(settings: ProofTestSettings, limits: Limits, i: Inputs) -> Finding:
    cap, pirani = i.pressure_cap_mbar.value, i.pressure_pirani_mbar.value
    if cap is None or pirani is None:
        return Finding("pressure gauges", False, "one gives no reading")
    ok = abs(cap - ATMOSPHERE_MBAR) <= settings.air_mbar and not contradict(limits, i)
    return Finding("pressure gauges", ok, f"{cap:.0f} and {pirani:.0f} mbar, allowed {ATMOSPHERE_MBAR:.0f} ± {settings.air_mbar:g}")


def _o2(settings: ProofTestSettings, i: Inputs) -> Finding:
    o2, flow = i.o2_pct.value, i.o2_sample_flow_l_min.value
    if o2 is None or flow is None or flow < 0.1 or i.o2_ready.value is not True or i.o2_cal_ok.value is not True:
        return Finding("O2 span", False, "the analyser is not warm, has no sample flow, or its calibration is due")
    ok = abs(o2 - AIR_O2_PCT) <= settings.air_o2_pct
    advice = "" if ok else "; open the door so that there is air in the chamber, then look at the analyser"
    return Finding("O2 span", ok, f"{o2:.2f} vol% in air, allowed {AIR_O2_PCT:g} ± {settings.air_o2_pct:g}{advice}")


def _gas(limits: Limits, i: Inputs) -> Finding:
    header = i.n2_header_bar.value
    ok = header is not None and header >= limits.n2_low_bar
    return Finding("N2 supply", ok, "no reading" if header is None else f"{header:.1f} bar, at least {limits.n2_low_bar:g}")


def _disk(limits: Limits, i: Inputs) -> Finding:
    free, trusted = i.disk_free_pct.value, i.journal_ok.value is True
    ok = trusted and free is not None and free >= limits.disk_pct
    text = "no reading" if free is None else f"{free:.0f} % free, at least {limits.disk_pct:g}"
    return Finding("disk and journal", ok, text if trusted else "the journal cannot be trusted")


def _clock(limits: Limits, i: Inputs) -> Finding:
    step = i.clock_step_s.value
    return Finding("clock", step is not None and abs(step) <= limits.clock_step_s, "no reading" if step is None else f"step {step:.3f} s")
