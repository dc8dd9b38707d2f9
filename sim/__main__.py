"""``ovensim``: the soft PLC, virtual batches and the demo. For rehearsal; never on the oven."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from controller.errors import FileError, OvenctlError, Problem

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Simulated oven for ovenctl.")
ROOT = Path(__file__).parents[1]
Load = Annotated[Path, typer.Option(help="load record")]
Wiring = Annotated[Path, typer.Option(help="wiring file")]
Seed = Annotated[int, typer.Option(help="draws the plant's truth and the sensors' noise")]
SAMPLE_ROLL = ROOT / "recipes" / "loads" / "sample-roll.toml"
WIRING = ROOT / "deploy" / "wiring.toml"


@app.command()
def plc(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="port, when left out 5020 (Modbus) or 4840 (OPC UA)")] = None,
    opcua: Annotated[bool, typer.Option("--opcua", help="serve OPC UA instead of Modbus")] = False,
    serial: Annotated[str | None, typer.Option(help="serve Modbus RTU on this serial line instead of TCP")] = None,
    parity: Annotated[str, typer.Option(help="parity of the serial line: N, E or O")] = "E",
    pki: Annotated[
        Path | None,
        typer.Option(help="folder of certificates, made when it is empty: OPC UA signed and encrypted, Modbus TCP with mutual TLS"),
    ] = None,
    rate: Annotated[float, typer.Option(help="process seconds per second")] = 1.0,
    scan_s: Annotated[float, typer.Option("--scan", "--scan-s", min=0.05, max=2.0, help="PLC scan, s of process time")] = 0.5,
    load: Load = SAMPLE_ROLL,
    seed: Seed = 1,
    wiring: Wiring = WIRING,
    truth: Annotated[
        Path | None, typer.Option(help="write what the lab would find of the product to this JSON file on the way out")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="write what the plant knows of the product to this CSV file while a batch runs")
    ] = None,
    unsafe: Annotated[Path | None, typer.Option(help="append unsafe states to this file, one JSON object a line")] = None,
) -> None:
    """Run the soft PLC with a plant behind it on Modbus or OPC UA until SIGTERM."""
    from sim import station

    if serial is not None and (opcua or pki is not None):
        raise FileError("command line", [Problem("--serial", serial, "goes neither with --opcua nor with --pki")])
    if parity not in ("N", "E", "O"):
        raise FileError("command line", [Problem("--parity", parity, "N, E or O")])
    where = port or (4840 if opcua else 5020)
    asyncio.run(
        station.run(station.Station(host, where, rate, scan_s, load, seed, wiring, truth, unsafe, reference, opcua, serial, parity, pki))
    )


@app.command()
def batch(
    recipe: Path,
    load: Load = SAMPLE_ROLL,
    seed: Seed = 1,
    scan_s: Annotated[float, typer.Option("--scan", "--scan-s", min=0.05, max=2.0, help="scan period, s")] = 1.0,
    max_h: Annotated[float, typer.Option(help="give up after so many hours")] = 100.0,
    journal: Annotated[Path | None, typer.Option(help="write the journal of the batch to this new file, the truth beside it")] = None,
    direct: Annotated[bool, typer.Option(help="the controller closes the zone loops")] = False,
    wiring: Wiring = WIRING,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on the last line")] = False,
) -> None:
    """Run one whole batch on virtual time: same scan, soft PLC and plant, no sockets; the same seed gives the same bits."""
    from sim import virtual

    result = virtual.run(recipe, load, wiring, seed, scan_s, max_h, journal, direct)
    if as_json:
        sys.stdout.write(json.dumps(result._asdict()) + "\n")
    else:
        virtual.show(result)
    if result.unsafe or result.unit_state != "COMPLETE":
        raise typer.Exit(1)


@app.command()
def campaign(
    recipe: Path,
    runs: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    seed: Annotated[int, typer.Option(min=0, help="of the first run; the others follow")] = 1,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="worker processes")] = 2,
    scan: Annotated[float, typer.Option(help="scan period, s; 2 s halves the time of a long campaign")] = 1.0,
    load: Load = SAMPLE_ROLL,
    wiring: Wiring = WIRING,
    fault: Annotated[str, typer.Option(help="a fault of sim/faults.py at a random moment, or random: another one in each run")] = "",
    world: Annotated[str, typer.Option(help="of lots and plants: near, or far from what the estimator believes")] = "near",
    out: Annotated[Path | None, typer.Option(help="write each run to this new file as it ends, one JSON object a line")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with --out: seeds already there are not run again")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on the last line")] = False,
) -> None:
    """Run many blind virtual batches with lots and plants drawn anew; judge endpoints, estimates and forecasts against the truth."""
    from sim.campaign import many, one, shown

    what = one.prepare(recipe, load, wiring, scan, fault, world)
    if resume and out is None:
        raise FileError("campaign", [Problem("--resume", "without --out", "needs the file of the campaign that goes on")])
    summary = many.campaign(what, range(seed, seed + runs), jobs, out, resume)
    if as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        shown.show(summary)
    if summary["unsafe"]:
        raise typer.Exit(1)


@app.command()
def tune(
    recipe: Annotated[Path, typer.Argument(help="recipe with a long SOAK to tune in")] = ROOT / "recipes" / "tuning.toml",
    loop: Annotated[str, typer.Option(help="zone or lead")] = "lead",
    gas: Annotated[str, typer.Option(help="VACUUM or N2_FLOW: in which SOAK")] = "VACUUM",
    temp_c: Annotated[float, typer.Option(help="temperature of the soaks, degC")] = 120.0,
    direct: Annotated[bool, typer.Option(help="the controller closes the zone loops; needed for loop zone")] = False,
    compare: Annotated[Path, typer.Option(help="recipe to run with old and new tuning")] = ROOT / "recipes" / "trial-short.toml",
    load: Load = SAMPLE_ROLL,
    seed: Seed = 1,
    wiring: Wiring = WIRING,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on the last line")] = False,
) -> None:
    """Autotune a loop on the soft PLC in virtual time, and run a recipe with the old and the proposed tuning side by side."""
    from sim import tuning

    for name, value, allowed in (("--loop", loop, ("zone", "lead")), ("--gas", gas, ("VACUUM", "N2_FLOW"))):
        if value not in allowed:
            raise FileError("command line", [Problem(name, value, " or ".join(allowed))])
    tuned = tuning.run(tuning.Wanted(recipe, load, wiring, seed, loop, gas, direct, {"temperature": temp_c}, {}, compare))
    if as_json:
        runs = {"before": [one._asdict() for one in tuned.before], "after": [one._asdict() for one in tuned.after]}
        sys.stdout.write(json.dumps({"entry": tuned.entry, **runs}) + "\n")
    else:
        tuning.show(tuned)
    if tuned.entry["event"] != "proposed":
        raise typer.Exit(1)


@app.command()
def explore(
    recipe: Annotated[list[str] | None, typer.Option(help="vacuum, nitrogen or pauses; repeatable, all when left out")] = None,
    causes: Annotated[str, typer.Option(help="disturbances: none, few, all, or pairs (every one and every two together)")] = "few",
    people: Annotated[bool, typer.Option("--people", help="with SKIP, BACK, SETPOINT and CONFIRM")] = False,
    max_nodes: Annotated[int, typer.Option(min=1, help="stop after so many nodes of a recipe")] = 10_000_000,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="worker processes")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object for each recipe")] = False,
) -> None:
    """Explore the unit breadth first over the real scan, until no node is left; exit code 1 on a violation, a dead node or an early end."""
    from controller.memory import Settings
    from sim.explore import graph, oven, search
    from sim.explore import recipe as recipes

    sets = {"none": (), "few": oven.FEW, "all": oven.ALL, "pairs": (*oven.ALL, *oven.PAIRS)}
    if causes not in sets:
        raise FileError("command line", [Problem("--causes", causes, f"one of {', '.join(sets)}")])
    if unknown := set(recipe or ()) - recipes.TEXTS.keys():
        raise FileError("command line", [Problem("--recipe", ", ".join(unknown), f"of {', '.join(recipes.TEXTS)}")])
    together = (*search.TOGETHER, *search.OPERATING) if people else search.TOGETHER

    def tell(nodes: int, left: int) -> None:
        sys.stderr.write(f"{nodes} nodes, {left} to expand\n")

    fine = True
    for name in recipe or recipes.TEXTS:
        world = search.World(Settings(), recipes.start(name), sets[causes], together)
        found = search.explored(world, max_nodes=max_nodes, jobs=jobs, tell=tell).summary(world.start)
        fine = fine and found.complete and not found.broken and not found.stuck
        shown = [json.dumps({"recipe": name, **found._asdict()})] if as_json else [f"{name}:", *graph.lines(found)]
        sys.stdout.writelines(f"{line}\n" for line in shown)
    if not fine:
        raise typer.Exit(1)


@app.command()
def quiet(
    hours: Annotated[float, typer.Option(min=0.1, help="process time to fill, h")] = 1000.0,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="worker processes")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="of the first batch; the others follow")] = 1,
    scan: Annotated[float, typer.Option(help="scan period, s")] = 1.0,
    recipes: Annotated[Path, typer.Option(help="folder with recipes, their loads in loads/ below it")] = ROOT / "recipes",
    wiring: Wiring = WIRING,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on the last line")] = False,
) -> None:
    """Run fault-free virtual batches of all recipes until the hours are full; exit code 1 when anything held, aborted or stopped."""
    from sim import quiet as quiets

    found = quiets.run(hours, jobs, seed, scan, recipes, wiring)
    if as_json:
        sys.stdout.write(json.dumps(quiets.as_json(found)) + "\n")
    else:
        quiets.show(found)
    if not quiets.quiet(found):
        raise typer.Exit(1)


@app.command()
def kills(
    runs: Annotated[int, typer.Option(min=1, max=10_000, help="how often the core is killed")] = 100,
    seed: Seed = 1,
    every: Annotated[float, typer.Option(min=0.1, help="mean wall time from a start to its kill, s")] = 9.0,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="process seconds per second")] = 20.0,
    recipe: Annotated[Path, typer.Option()] = ROOT / "recipes" / "trial-short.toml",
    load: Load = SAMPLE_ROLL,
    folder: Annotated[Path, typer.Option(help="where journals and logs go")] = ROOT / "var" / "kills",
    abort: Annotated[bool, typer.Option("--abort", help="abort the batch after the last kill instead of running it to its end")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on the last line")] = False,
) -> None:
    """Kill -9 the real core at random instants of an accelerated batch; exit code 1 when anything is missing or unsafe."""
    from sim import kills as killing
    from sim.kills_site import Kills

    found = asyncio.run(killing.run(Kills(runs, seed, recipe, load, folder, every, rate, to_end=not abort)))
    if as_json:
        sys.stdout.write(json.dumps(killing.as_json(found)) + "\n")
    else:
        killing.show(found)
    if found.violations:
        raise typer.Exit(1)


@app.command()
def attacks(
    seconds: Annotated[float, typer.Option(min=1, max=600, help="wall time of each kind, s")] = 60.0,
    rate: Annotated[float, typer.Option(min=1, max=100, help="process seconds per second")] = 20.0,
    kind: Annotated[list[str] | None, typer.Option(help="only this kind; repeatable")] = None,
    folder: Annotated[Path, typer.Option(help="new folder for journals, tapes and logs")] = ROOT / "var" / "attacks",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on the last line")] = False,
) -> None:
    """Attack the gateway on loopback while a batch ramps; exit code 1 when the PLC saw anything of it or the gateway did not recover."""
    from rich.console import Console

    from sim.attacks import kinds, run

    if unknown := set(kind or ()) - kinds.KINDS.keys():
        raise FileError("command line", [Problem("--kind", ", ".join(unknown), f"of {', '.join(kinds.KINDS)}")])
    say = Console(stderr=as_json)
    found = asyncio.run(run.run(run.Wanted(seconds, folder, tuple(kind or kinds.KINDS), rate), say))
    run.show(found, say)
    if as_json:
        courses = {name: one._asdict() | {"steps": len(one.steps)} for name, one in (("attacked", found.attacked), ("alone", found.alone))}
        sys.stdout.write(json.dumps({"blows": [one._asdict() for one in found.blows], **courses, "violations": found.violations}) + "\n")
    if found.violations:
        raise typer.Exit(1)


@app.command()
def demo(
    rate: Annotated[
        float | None, typer.Option(min=1, max=1000, help="process seconds per second, when left out what the wire can follow")
    ] = None,
    plc: Annotated[str, typer.Option(help="wire to the soft PLC: tcp, tls, rtu or opcua")] = "tcp",
    recipe: Annotated[Path, typer.Option()] = ROOT / "recipes" / "trial-short.toml",
    load: Load = SAMPLE_ROLL,
    seed: Seed = 1,
    folder: Annotated[Path, typer.Option(help="where journal, logs and report go")] = ROOT / "var" / "demo",
) -> None:
    """Run everything as real processes on loopback: soft PLC, broker, core, gateway, one whole batch, verdict and report."""
    from sim import demo as demos
    from sim.demo_wire import RATES

    kind = next((kind for kind in RATES if kind == plc), None)
    if kind is None:
        raise FileError("command line", [Problem("--plc", plc, " or ".join(RATES))])
    raise typer.Exit(asyncio.run(demos.run(demos.Demo(rate or RATES[kind], recipe, load, seed, folder, kind))))


def main() -> None:
    """Run ``ovensim``; a person's mistake is told in one line each."""
    try:
        app()
    except (OvenctlError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
