"""Kill -9 of the real core at random instants of an accelerated batch on loopback, and what journal, PLC and judge say afterwards.

Soft PLC and core are real processes. The core is started again at once after each kill; a virtual operator restarts a batch that is held.
Some kills fall into the start itself. The seed draws the instants; where in the batch they fall also depends on the machine. The times
between them are exponential: phases that begin anew after each kill (leak test, purge) need a long one to get through.

At ``RATE`` the PLC's watchdog (5 s) has 250 ms on the wall and the core's decision (10 s) half a second, which a shared machine holds;
the core's start of 2-4 s on the wall is an outage of about a minute, on both sides of the recipes' T1.
"""

import asyncio
import random
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from controller.clock import wall_ns, wall_s
from controller.journal.chain import verify
from sim import aftermath
from sim.broker import free_port
from sim.kills_site import Kills, KillsError, Site, running_plc, watching
from sim.processes import stop

START_S: Final = 60.0  # wall
LOOK_S: Final = 0.25  # wall, of the operator
PROOFS: Final = 10  # attempts: the core may have no image yet, and on a busy machine the accelerated PLC may be late
PATIENCE_S: Final = 2.0  # wall, between two restarts of a held batch
IN_THE_START: Final = 0.1  # share of the kills that do not wait until the core scans
FINAL: Final = ("COMPLETE", "STOPPED", "ABORTED")


class Found(NamedTuple):
    """What came out."""

    kills: int
    kills_in_the_start: int
    state: str
    rate: float
    wall_s: float
    figures: aftermath.Figures
    safe_trips: int  # silences after which the PLC was seen in its safe state
    longest_silence_scans: int
    unsafe: list[str]
    violations: list[str]


async def run(asked: Kills) -> Found:
    """Run the batch, kill the core ``runs`` times, and judge.

    Raises:
        KillsError: a process ended by itself, or the batch did not start.
    """
    began_s = wall_s()
    site = Site(asked, free_port())
    in_start = 0
    async with running_plc(site) as plc, watching(site):
        await _until(lambda: site.plc.answers, f"the soft PLC does not answer; see plc.log in {site.folder}")
        core = await site.start_core()
        try:
            await _batch_begins(site, core)
            core, in_start = await _killing(site, core, plc)
            await _batch_ends(site, core, plc)
        finally:
            await stop(core)
    return _judged(site, in_start, wall_s() - began_s)


async def _killing(site: Site, core: asyncio.subprocess.Process, plc: asyncio.subprocess.Process) -> tuple[asyncio.subprocess.Process, int]:
    """Kill and restart until enough or until the batch is over; return the core that lives and how many kills hit a start."""
    drawn, in_start = random.Random(site.asked.seed), 0
    while len(site.kills_ns) < site.asked.runs and site.state() not in FINAL:
        early = len(site.kills_ns) > 0 and drawn.random() < IN_THE_START
        if early:
            in_start += 1
            await asyncio.sleep(drawn.uniform(0.0, 3.0))
        else:
            await _scanning(site, core)
            await _attend(site, core, plc, drawn.expovariate(1.0 / site.asked.every_s))
        if drawn.random() < 0.5:  # a command on its way while the core dies
            site.ask("ACKNOWLEDGE", {})
            await asyncio.sleep(drawn.uniform(0.0, 0.2))
        if core.returncode is not None:
            raise KillsError(f"the core ended by itself with {core.returncode}; see core.log in {site.folder}")
        core.kill()
        site.kills_ns.append(wall_ns())
        await core.wait()
        site.boots_killed = len(site.entries("boot"))
        core = await site.start_core()
        if len(site.kills_ns) % 10 == 0:
            sys.stderr.write(f"{len(site.kills_ns)} kills, the unit is {site.state()}\n")
    return core, in_start


async def _scanning(site: Site, core: asyncio.subprocess.Process) -> None:
    """Wait until the core that lives has sampled."""
    deadline_s = wall_s(START_S)
    while site.boots_sampled() <= site.boots_killed or core.returncode is not None:
        if core.returncode is not None or wall_s() > deadline_s:
            raise KillsError(f"the core does not start again; see core.log in {site.folder}")
        await asyncio.sleep(0.02)


async def _attend(site: Site, core: asyncio.subprocess.Process, plc: asyncio.subprocess.Process, seconds: float) -> None:
    """Be the operator for so long, or until the batch is over: whoever finds it held acknowledges, resets and restarts."""
    until_s, restart_s = wall_s(seconds), wall_s(PATIENCE_S / 2)
    while (left_s := until_s - wall_s()) > 0:
        state = site.state()
        if state in FINAL:
            return
        for name, process in (("core", core), ("plc", plc)):
            if process.returncode is not None:
                raise KillsError(f"the {name} ended by itself with {process.returncode}; see {name}.log in {site.folder}")
        if state == "HELD" and wall_s() > restart_s:
            restart_s = wall_s(PATIENCE_S)
            site.ask("ACKNOWLEDGE", {}, "HELD")
            site.ask("RESET", {}, "HELD")  # what an outage has made of a hot vacuum is a trip (I6)
            site.ask("RESTART", {"reason": "the core was killed"}, "HELD")
        await asyncio.sleep(min(LOOK_S, left_s))


async def _batch_begins(site: Site, core: asyncio.subprocess.Process) -> None:
    asked = site.asked
    await _until(lambda: site.boots_sampled() > 0, f"the core does not start; see core.log in {site.folder}")
    for _ in range(PROOFS):
        tests = len(site.entries("prooftest"))
        site.ask("PROOF_TEST", {}, "IDLE")
        await _until(lambda seen=tests: len(site.entries("prooftest")) > seen or site.refused(), "the proof test does not end")
        if not site.refused() and site.entries("prooftest")[-1].fields()["result"] == "pass":
            break
        await asyncio.sleep(1.0)
    site.ask("START", {"recipe": asked.recipe.read_text("utf-8"), "load": asked.load.read_text("utf-8"), "formula": {}}, "IDLE")
    refused = f"START was refused; see core.log in {site.folder}"
    await _until(lambda: site.state() not in ("IDLE", "unknown"), refused)


async def _batch_ends(site: Site, core: asyncio.subprocess.Process, plc: asyncio.subprocess.Process) -> None:
    """Attend until the batch is over; without ``to_end`` abort it once the last start has decided what to do."""
    if site.state() in FINAL:
        return
    await _scanning(site, core)
    if not site.asked.to_end:
        await _attend(site, core, plc, 2 * aftermath.DECIDE_S / site.asked.rate)
        site.ask("ABORT", {"reason": "the last kill was made"})
        await _until(lambda: site.state() in FINAL, "the unit does not abort")
        return
    await _attend(site, core, plc, 100 * 3600 / site.asked.rate)


async def _until(condition: Any, why_not: str) -> None:
    deadline_s = wall_s(START_S)
    while not condition():
        if wall_s() > deadline_s:
            raise KillsError(why_not)
        await asyncio.sleep(0.05)


def _judged(site: Site, in_start: int, seconds: float) -> Found:
    asked, state = site.asked, site.state()
    checked = verify(site.journal)
    entries = site.entries()
    figures, wrong = aftermath.check(entries, site.posted, site.kills_ns, site.plc.blocks_ns, asked.rate)
    if checked.first_bad_seq is not None or checked.count != len(entries):
        wrong.append(f"the journal does not verify: {checked.text}")
    unsafe_file = site.folder / "unsafe.jsonl"
    unsafe = unsafe_file.read_text("utf-8").splitlines() if unsafe_file.exists() else []
    wrong += [f"unsafe state: {line}" for line in unsafe] + site.plc.wrong[:10]
    if len(site.kills_ns) < asked.runs:
        wrong.append(f"the batch was over after {len(site.kills_ns)} of {asked.runs} kills; let them come closer (--every)")
    if asked.to_end and state != "COMPLETE":
        wrong.append(f"the batch ended {state}")
    return Found(len(site.kills_ns), in_start, state, asked.rate, round(seconds, 1), figures, site.plc.safe_trips, site.plc.longest, unsafe,
                 wrong)  # fmt: skip


def as_json(found: Found) -> dict[str, Any]:
    """Return what came out for a machine."""
    return {**found._asdict(), "figures": found.figures._asdict()}


def show(found: Found) -> None:
    """Print what came out for a person."""
    table = Table(title=f"{found.kills} kills of the core at {found.rate:g} process seconds a second: {found.state}", show_header=False)
    figures = found.figures
    for name, value in (
        ("kills while the core started", found.kills_in_the_start), ("starts in the journal", figures.boots),
        ("journal entries, chain unbroken unless said below", figures.entries), ("gap entries", figures.gaps),
        ("lost before a kill, s on the wall, most", f"{figures.lost_wall_s:.2f}"),
        ("without samples and not named by a gap entry, s, most", f"{figures.unmarked_s:.2f}"),
        ("resume decisions", figures.decisions), ("slowest resume decision, s", f"{figures.slowest_decision_s:.1f}"),
        ("commands, each answered once", figures.commands), ("actuations / outcome unknown because of a kill",
        f"{figures.intents} / {figures.abandoned}"), ("silences after which the PLC was safe", found.safe_trips),
        ("unsafe states", len(found.unsafe)), ("wall, s", found.wall_s),
    ):  # fmt: skip
        table.add_row(name, str(value))
    for line in _first(found.violations):
        table.add_row("VIOLATION", line)
    Console().print(table)


def _first(lines: Sequence[str], most: int = 30) -> list[str]:
    return [*lines[:most], *([f"and {len(lines) - most} more"] if len(lines) > most else [])]
