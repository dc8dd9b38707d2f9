"""A soft PLC station: plant, PLC, server and judge in one process, as ``ovensim plc`` runs it."""

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller import realtime
from controller import wiring as wirings
from controller.clock import wall_ns
from controller.recipe.reading import read_load
from sim.bench import roll_of
from sim.certificates import Authority, Pair
from sim.judge import Judge
from sim.modbus_server import mutual_tls, serve, serve_line
from sim.plant.parameters import draw
from sim.plant.plant import Plant
from sim.softplc import SoftPlc
from sim.truth import TruthFile


@dataclass(frozen=True, slots=True)
class Station:
    """What ``ovensim plc`` was asked for."""

    host: str
    port: int
    rate: float
    scan_s: float
    load: Path
    seed: int
    wiring: Path
    truth: Path | None
    unsafe: Path | None
    reference: Path | None = None
    opcua: bool = False
    serial: str | None = None  # RTU on this line instead of TCP
    parity: str = "E"  # of the serial line
    pki: Path | None = None  # certificates (see ``certificates``): OPC UA signed and encrypted, Modbus with mutual TLS


async def run(station: Station) -> None:
    """Serve until SIGTERM or SIGINT; then write what the lab would find. ``reference`` is written meanwhile (see ``sim.truth``)."""
    plant = Plant(draw(station.seed), roll_of(read_load(station.load)), station.seed)
    plc = SoftPlc(wirings.load(station.wiring), plant, boot_id=wall_ns() // 10**9 & 0x7FFF_FFFF)  # another one with every process
    judge = Judge()
    known = None if station.reference is None else TruthFile(station.reference)
    realtime.prefer()
    realtime.settle()

    def watch(seen: SoftPlc) -> None:
        if known is not None:
            known.look(seen)
        for found in judge.look(seen, seen.at_s, station.scan_s):
            if station.unsafe is not None:
                with station.unsafe.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"code": found.code, "at_s": found.at_s, "text": found.text}) + "\n")

    task = asyncio.ensure_future(_serving(station, plc, watch))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        pass
    finally:
        if known is not None:
            known.close()
        if station.truth is not None:
            station.truth.write_text(json.dumps(lab_results(plc)), encoding="utf-8")


def certificates(folder: Path) -> tuple[Path, Pair, Pair]:
    """Return the authority's certificate, the PLC's pair and the core's in ``folder``, made there when they are not: for rehearsal only."""
    if not (folder / "ca.pem").exists():
        folder.mkdir(parents=True, exist_ok=True)
        authority = Authority(folder)
        authority.issue("plc")
        authority.issue("core")
    plc, core = (Pair(folder / f"{name}.pem", folder / f"{name}.key") for name in ("plc", "core"))
    return folder / "ca.pem", plc, core


def _serving(station: Station, plc: SoftPlc, watch: Callable[[SoftPlc], None]) -> Coroutine[Any, Any, None]:
    ca, own, core = (None, None, None) if station.pki is None else certificates(station.pki)
    if station.opcua:
        from sim import opcua_server  # its library takes a second to load

        access = opcua_server.Access() if own is None or core is None else opcua_server.Access(own, (core.certificate,))
        return opcua_server.serve(plc, station.host, station.port, station.rate, station.scan_s, watch, access)
    if station.serial is not None:
        return serve_line(plc, station.serial, station.rate, station.scan_s, watch, station.parity)
    tls = None if ca is None or own is None else mutual_tls(ca, own)
    return serve(plc, station.host, station.port, station.rate, station.scan_s, watch, tls=tls)


def lab_results(plc: SoftPlc) -> dict[str, object]:
    """Return what a lab would find of coupons cut from the roll now; the assay is the simulator's, without its error."""
    truth = plc.plant.truth()
    assay = {"method": "read from the simulated plant, which knows", "extraction_c": 80.0, "extraction_h": 24.0, "solvent": "NMP"}
    return {
        "coupons": [
            {"position": "worst zone", "residual_wt_pct": 100 * truth.residual_solvent_worst, "assay": assay},
            {"position": "mean of the roll", "insoluble_pct": 100 * truth.insoluble_mean, "assay": assay},
            {"position": "least cured zone", "insoluble_pct": 100 * truth.insoluble_min, "assay": assay},
            {"position": "most cured zone", "insoluble_pct": 100 * truth.insoluble_max, "assay": assay},
        ]
    }


def endpoint_verdict(end: Mapping[str, Any], lab: Mapping[str, Any]) -> list[str]:
    """Return the estimate at the end of a batch beside the plant's truth, a line each."""
    found = {coupon["position"]: coupon for coupon in lab["coupons"]}
    lines = []
    for name, key, position, field in (
        ("residual solvent, wt%", "residual_solvent", "worst zone", "residual_wt_pct"),
        ("insoluble content, %", "insoluble", "mean of the roll", "insoluble_pct"),
    ):
        value, low, high = (100 * number for number in end[key])
        lines.append(f"{name}: estimate {value:.2f} [{low:.2f}, {high:.2f}], truth of the simulated roll {found[position][field]:.2f}")
    return lines
