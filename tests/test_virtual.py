"""Virtual batches from the outside: what scan period is honest."""

from math import nan
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.block import PlcState
from controller.config import Core
from controller.errors import FileError
from controller.image import SIGNALS
from controller.memory import Settings
from controller.recipe.reading import read_load
from controller.southbound.contract import ECHO_S
from controller.wiring import load
from sim import bench, virtual
from sim.__main__ import app
from sim.softplc import Settings as PlcSettings
from sim.virtual import LONGEST_SCAN_S

ROOT = Path(__file__).parents[1]
TRIAL = ROOT / "recipes" / "trial-short.toml"
SAMPLE = ROOT / "recipes" / "loads" / "sample-roll.toml"
WIRING = ROOT / "deploy" / "wiring.toml"


def rig_at(scan_s):
    """Return a settled rig whose PLC follows a controller of that scan period."""
    rig = bench.rig(Settings(), load(WIRING), read_load(SAMPLE), 1, scan_s)
    for _ in range(10):
        rig.step()
    return rig


def without_every_second_block(rig, scans=20):
    """Return the PLC's states and the lease's holders while every second block is lost."""
    seen = set()
    for number in range(scans):
        rig.plc.faults.write_ignored = number % 2 == 0
        rig.step()
        seen.add((rig.plc.state, rig.plc.lease))
    return seen


@pytest.mark.parametrize("option", ["--scan", "--scan-s"])
@pytest.mark.parametrize("command", [["batch", "r.toml"], ["plc"]], ids=["batch", "plc"])
def test_the_scan_period_is_one_option_of_every_command(command, option):
    assert "Invalid value for '--scan'" in CliRunner().invoke(app, [*command, option, "9"], env={"COLUMNS": "200"}).output


@pytest.mark.parametrize("scan_s", [5.0, 2.001, 0.0, -1.0, nan, 0.04])
def test_a_scan_period_that_no_plc_would_follow_is_refused_with_what_is_allowed(scan_s):
    with pytest.raises(FileError, match=r"--scan = .*0\.05 to 2 s.*watchdog"):
        virtual.run(TRIAL, SAMPLE, WIRING, 1, scan_s)


def test_the_longest_scan_stays_inside_every_timeout_of_contract_plc_and_core():
    stale_s, plc = SIGNALS["plc_alive"].stale_s, PlcSettings()
    assert LONGEST_SCAN_S <= ECHO_S
    assert min(stale_s, plc.stale_s) > LONGEST_SCAN_S
    assert plc.watchdog_s > 2 * LONGEST_SCAN_S
    Core(scan_s=LONGEST_SCAN_S)
    with pytest.raises(ValueError, match="scan_s"):
        Core(scan_s=LONGEST_SCAN_S + 0.001)


def test_at_the_longest_scan_a_lost_block_moves_nobody():
    rig = rig_at(LONGEST_SCAN_S)
    assert without_every_second_block(rig) == {(PlcState.IDLE, bench.MASTER)}


def test_at_three_seconds_a_lost_block_would_send_the_plc_to_its_safe_state():
    assert PlcState.WATCHDOG_SAFE in {state for state, _ in without_every_second_block(rig_at(3.0))}


def test_the_plc_scans_each_second_whatever_the_controllers_period():
    rig = rig_at(2.0)
    assert (rig.at_s, rig.plc.at_s, rig.plc.alive) == (20.0, 20.0, 20)
    assert rig_at(0.5).plc.alive == 10
