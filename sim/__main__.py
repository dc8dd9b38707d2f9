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
    port: Annotated[int, typer.Option(min=1, max=65535, help="Modbus TCP port")] = 5020,
    rate: Annotated[float, typer.Option(help="process seconds per second")] = 1.0,
    scan_s: Annotated[float, typer.Option(min=0.05, max=2.0, help="PLC scan, s of process time")] = 0.5,
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
    """Run the soft PLC with a plant behind it on Modbus TCP until SIGTERM."""
    from sim import station

    asyncio.run(station.run(station.Station(host, port, rate, scan_s, load, seed, wiring, truth, unsafe, reference)))


@app.command()
def batch(
    recipe: Path,
    load: Load = SAMPLE_ROLL,
    seed: Seed = 1,
    scan_s: Annotated[float, typer.Option(min=0.05, max=2.0, help="scan period, s")] = 1.0,
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
    out: Annotated[Path | None, typer.Option(help="write each run to this new file as it ends, one JSON object a line")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with --out: seeds already there are not run again")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on the last line")] = False,
) -> None:
    """Run many blind virtual batches with lots and plants drawn anew; judge endpoints, estimates and forecasts against the truth."""
    from sim.campaign import many, one, shown

    what = one.prepare(recipe, load, wiring, scan, fault)
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
def demo(
    rate: Annotated[float, typer.Option(min=1, max=1000, help="process seconds per second")] = 115.0,
    recipe: Annotated[Path, typer.Option()] = ROOT / "recipes" / "trial-short.toml",
    load: Load = SAMPLE_ROLL,
    seed: Seed = 1,
    folder: Annotated[Path, typer.Option(help="where journal, logs and report go")] = ROOT / "var" / "demo",
) -> None:
    """Run everything as real processes on loopback: soft PLC, broker, core, gateway, one whole batch, verdict and report."""
    from sim import demo as demos

    raise typer.Exit(asyncio.run(demos.run(demos.Demo(rate, recipe, load, seed, folder))))


def main() -> None:
    """Run ``ovensim``; a person's mistake is told in one line each."""
    try:
        app()
    except (OvenctlError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
