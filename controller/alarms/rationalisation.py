"""Rationalisation of the alarms: for each interlock row its priority, probable cause, consequence, action and time to respond.

The texts are defaults of a 2 m3 batch oven [assume]; a site's own review replaces them. Priority follows from the consequence if nobody
acts and the time there is to act (ISA-18.2, clause 9): what the oven has already made safe by itself is no critical alarm.
"""

from typing import Final, NamedTuple

from controller.alarms.states import Priority


class Rationale(NamedTuple):
    """One row. ``respond_min`` is the time in which the action still prevents the consequence, min; 0: nothing to do in time."""

    rule: str
    priority: Priority
    cause: str
    consequence: str
    action: str
    respond_min: float
    off_delay_s: float = 0.0  # how long the row must be quiet before its alarm is gone; only rows that stop nothing have one
    confirm: bool = False  # gone and seen is not enough: a person says that its cause was found and dealt with; rows that trip


_J, _L, _M, _H, _C = Priority.JOURNAL, Priority.LOW, Priority.MEDIUM, Priority.HIGH, Priority.CRITICAL
_WARN_OFF_S: Final = 10.0

_TABLE: Final[tuple[Rationale, ...]] = (
    Rationale("I1", _H, "element or SSR stuck on, circulation lost, limiter set too low",
              "batch aborted; heating on would overheat film and oven",
              "leave the main contactor open, find the heater that stuck; reset at the device, then RESET", 10, confirm=True),
    Rationale("I2", _H, "somebody pressed the emergency stop, or a limit of the chain opened", "batch aborted, heat off by hardware",
              "look after people first; find the open contact, release it, RESET", 10, confirm=True),
    Rationale("I3", _J, "door open for loading", "no start, no heat", "close the door when loading is done", 0),
    Rationale("I3N", _J, "door open for loading", "N2 stays shut so that nobody suffocates", "close the door before purging", 0),
    Rationale("I3L", _J, "lock not engaged", "no heat", "close the door fully; look at the lock's switch", 0),
    Rationale("I3T", _H, "lock failed, or the door was forced", "batch aborted; air reaches a warm roll and solvent vapour",
              "keep people away, do not close in haste; wait until it is cold and inert, then RESET", 5, confirm=True),
    Rationale("I3U", _M, "lock or its switch worn", "batch held without heat", "check the lock and its wire; acknowledge and RESTART",
              15),
    Rationale("I4W", _M, "exhaust blocked, N2 flow too high", "the relief lifts and the batch is aborted",
              "look at exhaust valve and N2 flow", 5, _WARN_OFF_S),
    Rationale("I4", _H, "exhaust blocked, N2 regulator failed, vapour burst", "batch aborted; solvent vapour leaves through the relief",
              "keep people away from the vent line; find what blocked the exhaust; RESET", 5, confirm=True),
    Rationale("I4G", _M, "gauge dirty with condensate, gas composition, wire", "batch held; a wrong pressure would count as a proof",
              "compare with the local gauge; clean or replace the wrong one; acknowledge and RESTART", 15),
    Rationale("I4F", _M, "gauge frozen or isolated, N2 leaks elsewhere, pump line open", "batch held; a frozen gauge proves nothing",
              "tap or vent the gauge line; check N2 and pump valves; RESET believes the gauge again; RESTART", 15),
    Rationale("I4L", _M, "wire, supply, gauge head", "in a hot vacuum the batch is held; the other gauge could lie unseen",
              "restore the gauge; until then compare with the local gauge", 5, _WARN_OFF_S),
    Rationale("I4T", _M, "wire, supply, gauge head; nobody answered I4L", "batch held, heat off",
              "restore the gauge; acknowledge and RESTART, or STOP", 15),
    Rationale("I4N", _M, "both gauges unusable and the exhaust shut", "no N2: the chamber cannot be inerted",
              "open the exhaust, restore a gauge", 10, _WARN_OFF_S),
    Rationale("I5", _J, "purge or evacuation not done yet, or its proof ended", "no heat",
              "let the recipe purge or evacuate; RESTART proves it again", 0),
    Rationale("I6", _H, "leak, door seal, pump weak", "air may reach hot vapour; heat is off, N2 is let in",
              "watch that N2 fills the chamber; find the leak; RESET, RESTART", 5),
    Rationale("I6T", _C, "no N2, N2 valve shut, large leak", "a hot chamber with vapour stays open to air",
              "open the N2 bypass by hand, keep the door shut, keep people away", 2, confirm=True),
    Rationale("I6N", _C, "no N2, N2 valve shut", "a hot chamber with vapour stays open to air; batch aborted",
              "open the N2 bypass by hand, keep the door shut, keep people away", 2, confirm=True),
    Rationale("I7W", _M, "seal leaks, N2 flow low", "O2 reaches the abort limit", "raise the N2 flow, check seals and analyser", 10,
              _WARN_OFF_S),
    Rationale("I7", _C, "large leak, N2 lost, door seal", "flammable mixture possible; batch aborted, full purge runs",
              "see that N2 flows, keep ignition sources away, keep the door shut", 2, confirm=True),
    Rationale("I8W", _L, "small leak, N2 quality", "bare copper tarnishes",
              "check the N2 dew point and O2 of the supply; note it for the lot", 60),
    Rationale("I8", _M, "small leak, N2 quality", "batch held so that copper does not tarnish",
              "raise N2 flow, wait for O2 to fall; acknowledge and RESTART", 15),
    Rationale("I9", _M, "no sample flow, analyser warming, calibration due", "sequence waits, no heat",
              "restore the sample flow; look at the analyser's status", 15),
    Rationale("I9T", _M, "analyser out of order for long", "batch aborted", "cool down under N2; repair the analyser; acknowledge, RESET",
              30, confirm=True),
    Rationale("I10", _J, "volumes not through yet", "no heat", "let the purge go on", 0),
    Rationale("I11W", _M, "bottle bank or tank low, regulator", "N2 fails: sequence waits, later no emergency purge",
              "change over the supply", 30, _WARN_OFF_S),
    Rationale("I11R", _L, "long batch, tank not filled", "the supply may not last for this batch", "order or change over N2", 120, 60.0),
    Rationale("I11P", _L, "tank low", "no start", "fill the tank before the next batch", 240),
    Rationale("I11", _H, "supply empty or shut", "sequence waits without heat; no purge if it fails", "change over the supply at once",
              10),
    Rationale("I11T", _H, "reserve below one emergency purge while hot", "batch aborted while there is N2 left for it",
              "bring N2 before anything else; keep the chamber shut", 10, confirm=True),
    Rationale("I11F", _H, "flow controller stuck, filter clogged, hand valve shut, flow meter wrong",
              "sequence waits without heat; vapour gathers and air is not kept out", "restore the flow; open the N2 bypass by hand", 5),
    Rationale("I11S", _H, "as I11F, not dealt with in time", "batch held, heat off; vapour gathers and air is not kept out",
              "open the N2 bypass by hand, keep the door shut; when the flow is back, acknowledge and RESTART", 10),
    Rationale("I12", _M, "leak, wet load, pump weak, cold trap full", "batch held, cold",
              "look at pump, trap and seals; acknowledge and RESTART, or STOP", 30),
    Rationale("I12T", _M, "the hold for missing vacuum was left alone", "batch aborted, cold",
              "cure the vacuum, RESET, start again", 0, confirm=True),
    Rationale("I13", _M, "door seal, valve seat, fitting", "batch held before heat", "clean the seal, close again, repeat the leak test",
              30),
    Rationale("I13W", _L, "seal wears, fitting works loose", "a leak test fails one day and the batch with it",
              "look for the leak before the next batch: seal, valve seats, fittings", 0),
    Rationale("I13L", _M, "door seal, shaft seal or fitting gives way when hot; far more solvent than believed",
              "oxygen reaches hot foil and vapour; the vacuum is lost when the pump weakens (I6)",
              "watch the pressure and the throttle; if the leak is real, STOP and cool in N2; find it before the next batch", 30),
    Rationale("I13B", _L, "coldest-wall or zone reading lost, PT-301 noisy, tests broken off by holds",
              "a leak that the pump masters stays unseen, and the estimate is not corrected",
              "see why_invalid of the pressure-rise test (ovenctl status); restore the reading, or STOP if the leak test is old", 60),
    Rationale("I14", _H, "motor protection, overheated, no water", "vapour is no longer drawn off; batch held, heat off",
              "check the motor protection and cooling water; restart the pump; acknowledge and RESTART", 10),
    Rationale("I14S", _M, "motor protection, not reset, no supply", "no vacuum; batch held, heat off",
              "check the motor protection and supply; acknowledge and RESTART", 30),
    Rationale("I15P", _J, "services not started yet", "no heat", "the sequence starts them", 0),
    Rationale("I15", _H, "motor protection, chiller alarm, belt", "vapour collects; batch held, heat off; aborted later",
              "restore exhaust, condenser or circulation; acknowledge and RESTART", 5),
    Rationale("I15T", _M, "service not restored in time", "batch aborted, cool-down under N2",
              "repair; keep N2 on; RESET when cold", 30, confirm=True),
    Rationale("I16", _H, "condenser warm, ramp too fast, exhaust low", "mixture towards the LFL; batch held, heat off",
              "check condenser and exhaust; wait until it has fallen; RESET, RESTART", 5),
    Rationale("I16T", _C, "condenser lost while solvent boils off", "mixture near the LFL outside the chamber; batch aborted",
              "no switching, no open flame; clear the room, ventilate", 1, confirm=True),
    Rationale("I17", _L, "trap not emptied", "no start", "empty and weigh the trap", 240, _WARN_OFF_S),
    Rationale("I17B", _M, "wet load, trap not emptied before", "the trap fills within this batch: hold, heat off",
              "slow the ramp, or hold and empty the trap", 30, 60.0),
    Rationale("I17T", _M, "trap not emptied before, more solvent than declared", "batch held, heat off: vapour would reach the pump",
              "empty and weigh the trap; acknowledge and RESTART", 30),
    Rationale("I17L", _L, "ramp too fast for the duct if the condenser fails",
              "a condenser failure now would bring the duct near the LFL", "slow the ramp; watch the condenser", 15, 60.0),
    Rationale("I18", _L, "wet load, ramp too fast", "the ramp waits; the batch takes longer",
              "none in this batch; slow the recipe's ramp", 60, 30.0),
    Rationale("I18T", _M, "condenser or pump weak, load far wetter than declared", "batch held: vapour is not drawn off",
              "check condenser and pump; RESTART when the rate has fallen", 15),
    Rationale("I18B", _M, "pressure too low or ramp too fast for a wet film", "blisters in the film",
              "hold the batch or raise the pressure; see the guard's figures", 10, 30.0),
    Rationale("I19", _J, "hot, not washed, or not at ambient pressure", "door and air vent stay shut",
              "let it cool and be washed with N2 up to ambient pressure", 0),
    Rationale("I20W", _H, "N2 leaks into the room, ventilation off", "people lose consciousness without a warning",
              "leave the room, start the ventilation, measure before entering", 2, _WARN_OFF_S),
    Rationale("I20", _C, "N2 leaks into the room, ventilation off", "asphyxiation; N2 is shut, batch held",
              "evacuate; nobody enters without a measurement; RESET outside", 1, confirm=True),
    Rationale("I21W", _L, "thermocouple open, drifting or loose", "the zone runs on two; one more fails: heat off",
              "replace it after this batch", 480, 60.0),
    Rationale("I21V", _L, "loose contact, drift, a stuck input", "the zone runs on two; one more fails: heat off",
              "see which one in the journal; repair it, acknowledge when it agrees", 480),
    Rationale("I21", _M, "two thermocouples of a zone lost", "batch held, heat off", "restore one; acknowledge and RESTART", 15),
    Rationale("I21L", _M, "load thermocouple open or its plug out", "soak time does not count; no air is let in",
              "plug it in; else decide with the process engineer", 30, 60.0),
    Rationale("I21M", _L, "load thermocouple open or its plug out", "less is known of the load", "replace it after this batch", 480,
              60.0),
    Rationale("I21S", _L, "a load thermocouple is lost and the site allows the estimate", "the soak rests on a model",
              "replace the thermocouple after this batch; tell the process engineer", 480),
    Rationale("I22W", _L, "a thermocouple drifts or sits wrong", "the sensors contradict each other later: heat off",
              "compare with a reference; recalibrate", 120, 60.0),
    Rationale("I22", _M, "a thermocouple is wrong by much, or common cause", "batch held, heat off",
              "find which one is wrong; acknowledge and RESTART", 15),
    Rationale("I22R", _H, "the zones' thermocouples are wrong together, or an exotherm",
              "batch held, heat off; the load is hotter than shown", "compare with a reference; do not RESTART before it is explained",
              10),
    Rationale("I23W", _M, "exotherm, tuning, SSR leaking", "the zone reaches the abort limit",
              "watch the output; hold the batch if it goes on rising", 5, 30.0),
    Rationale("I23", _M, "exotherm, SSR shorted", "batch aborted, film too hot",
              "see that it falls; check SSR and contactor; acknowledge, RESET", 10, confirm=True),
    Rationale("I23R", _L, "tuning, exotherm, element weak, gas changed", "the product sees another course than the recipe means",
              "compare with the recipe's reason for the band; hold the batch if it stays", 30),
    Rationale("I23L", _L, "element weak, wet load, tuning", "the recipe waits for the oven; the batch takes longer",
              "look at the zone's output and current", 60, 60.0),
    Rationale("I24", _C, "SSR shorted or contactor welded", "the zone heats without control; batch aborted",
              "switch off the main isolator if it goes on heating", 2, confirm=True),
    Rationale("I25W", _L, "element open, fuse, one phase missing", "the recipe does not get on; held later", "check fuses and currents",
              30, 60.0),
    Rationale("I25", _M, "element open, fuse, one phase missing", "batch held", "check fuses and elements; acknowledge and RESTART", 30),
    Rationale("I26", _M, "recipe's limit too short, weak heat, wait never fulfilled", "batch held", "decide: RESTART, STOP, or edit", 30),
    Rationale("I26B", _M, "holds, slow drying, limit too short", "batch held", "decide: RESTART, STOP, or edit", 30),
    Rationale("I27W", _M, "network, PLC busy or off", "blind: no heat, no start", "check PLC and cable", 5, 5.0),
    Rationale("I27", _M, "network or PLC lost", "batch held; the PLC has gone to its own safe state",
              "check PLC and cable; acknowledge and RESTART when it is back", 10),
    Rationale("I27T", _M, "network or PLC stays lost", "batch held, and only a person lets it go on",
              "cure it, look at the oven, acknowledge and RESTART", 10),
    Rationale("I28", _M, "watchdog, own limit, power cycle of the PLC", "batch held; the PLC keeps the oven safe",
              "read the PLC's state; cure the cause; RESET, RESTART", 10),
    Rationale("I28E", _H, "another master, wrong map, PLC in STOP, lease lost", "batch held; the PLC goes to its safe state by itself",
              "read the PLC's reason code; cure it; acknowledge and RESTART", 5),
    Rationale("I28L", _M, "switch turned to local", "batch held; nobody's blocks are followed",
              "turn to remote when work on the oven is done", 30),
    Rationale("I28W", _M, "PLC program changed", "no start: a dead controller would not be noticed",
              "have the PLC's watchdog set again; repeat the proof test", 240),
    Rationale("I29", _J, "power or core came back", "the unit is held or follows its recovery policy",
              "read the decision in the journal; RESTART or STOP", 0),
    Rationale("I30", _M, "disk full, failing or locked", "batch held: what happens would not be recorded",
              "free or replace the disk; then `systemctl restart ovenctl-core` (nothing is written before); "
              "then acknowledge and RESTART", 15),
    Rationale("I30D", _L, "old journals, logs", "no start; later the journal fails", "archive and remove old journals", 480, 60.0),
    Rationale("I30C", _L, "time server, battery, somebody set it", "wall-clock times of the record jump; process time does not",
              "check the time source; note it for the record", 480),
    Rationale("I31", _L, "new material, lost thermocouples, unusual load", "the time recipe ends the cure",
              "take coupons of this batch; tell the process engineer", 120, 60.0),
    Rationale("I31T", _M, "slow lot, low temperature, wrong calibration; window passed", "batch held; past its window it only cures on",
              "decide with the process engineer: SKIP to the COOL or STOP; RESTART only before its window is passed", 30),
    Rationale("I32", _L, "gateway stopped, broker or network away", "supervision is blind; no effect on the batch",
              "restart the gateway service", 480, 30.0),
    Rationale("I33W", _L, "the interval of a proof test is over", "a failure of the device may stay hidden",
              "plan and record the proof test", 1440, 60.0),
    Rationale("I34", _H, "recipe changed outside of the core, approver's key revoked", "batch held: nobody vouches for what runs",
              "read the reason in the journal; STOP; start an approved recipe", 10),
    Rationale("C1V", _M, "valve stuck, no compressed air, switch", "batch held; vacuum path unknown",
              "check compressed air and limit switches; acknowledge and RESTART", 15),
    Rationale("C1N", _M, "valve stuck, no compressed air, switch", "batch held; inerting doubtful",
              "check compressed air and limit switches; acknowledge and RESTART", 10),
    Rationale("C1A", _H, "valve stuck, switch", "batch held; air may reach a hot chamber",
              "shut the air line by hand; check limit switches", 5),
    Rationale("C1E", _M, "valve stuck, no compressed air, switch", "batch held; over-pressure possible",
              "check compressed air and limit switches; acknowledge and RESTART", 10),
    Rationale("C2", _C, "contactor welded", "heat cannot be switched off; batch aborted", "switch off the main isolator", 2, confirm=True),
    Rationale("C3", _M, "the PLC's own permissive is missing", "batch held without heat",
              "read the PLC's reason; cure it; acknowledge and RESTART", 15),
)  # fmt: skip
TABLE: Final[dict[str, Rationale]] = {row.rule: row for row in _TABLE}
_PRIORITY: Final = {row.rule: row.priority for row in _TABLE}
_OFF_S: Final = {row.rule: row.off_delay_s for row in _TABLE}
TO_CONFIRM: Final = frozenset(row.rule for row in _TABLE if row.confirm)


def priority(rule: str) -> Priority:
    """Return the priority of ``rule``; HIGH for a row that nobody has rationalised."""
    return _PRIORITY.get(rule, Priority.HIGH)


def off_delay_s(rule: str) -> float:
    """Return how long ``rule`` must be quiet before its alarm is gone, s."""
    return _OFF_S.get(rule, 0.0)
