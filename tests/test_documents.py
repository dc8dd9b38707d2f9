"""Generated documents are as fresh as the tables they come from, and the deployed files are what the code accepts."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller import config, printing, wiring
from controller.__main__ import app
from controller.block import Reason
from controller.documents import acceptance
from controller.image import OWN_SIGNALS, SIGNALS
from controller.interlocks.rule import Effect
from controller.interlocks.table import RULES
from controller.journal.product import read_lab_file
from controller.recipe.states import TABLE, Trigger, UnitState

DEPLOY = Path(__file__).parents[1] / "deploy"
GENERATED = dict(printing.DOCUMENTS.values())


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_fresh(name):
    stored = (DEPLOY / name).read_text("utf-8")
    assert GENERATED[name]() in stored, "renew it with `ovenctl print`"


def test_the_example_of_a_laboratory_file_is_one_and_every_key_has_a_meaning(tmp_path):
    text = (DEPLOY / "LAB.md").read_text("utf-8")
    (tmp_path / "lab.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    lab, _ = read_lab_file(tmp_path / "lab.toml")
    assert ([coupon.name for coupon in lab.coupons], len(lab.properties)) == (["A1", "B7"], 1)
    assert [line for line in text.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


def test_the_help_of_print_lists_every_document():
    shown = CliRunner().invoke(app, ["print", "--help"]).output
    assert [name for name in printing.DOCUMENTS if name not in shown] == []


def test_every_key_of_a_recipes_tables_has_a_meaning():
    said = (DEPLOY / "RECIPES.md").read_text("utf-8").split("## [power_fail]")[1].split("\n## What")[0]
    assert [line for line in said.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


def test_the_acceptance_protocol_has_a_step_for_each_rule_of_the_contract_and_each_refusal():
    rules = (DEPLOY / "PLC-CONTRACT.md").read_text("utf-8").split("## The rules")[1].split("\n## ")[0]
    assert {clause for clause, *_ in acceptance.CLAUSES} == set(re.findall(r"^(\d+)\. ", rules, re.MULTILINE))
    assert set(acceptance.REFUSED) == set(Reason) - {Reason.OK}


def test_the_acceptance_protocol_has_a_step_for_each_row_with_a_place_to_sign():
    steps = [line.split(" | ") for line in (DEPLOY / "FAT.md").read_text("utf-8").splitlines() if re.match(r"\| R\d+ \|", line)]
    assert [step[1].removesuffix(" HW") for step in steps] == [rule.id for rule in RULES]
    assert all("☐ pass ☐ fail" in step for step in steps)


def test_the_state_diagram_draws_each_move_of_the_table_once():
    drawn = re.findall(r"^    (\w+) --> (\w+): (.+)$", (DEPLOY / "STATES.md").read_text("utf-8"), re.MULTILINE)
    moves = [(UnitState[source], Trigger(name), UnitState[target]) for source, target, names in drawn for name in names.split(", ")]
    assert sorted(moves) == sorted((source, trigger, target) for (source, trigger), target in TABLE.items())


def test_the_cause_and_effect_sheet_has_the_effects_of_the_table():
    lines = [line.split("|")[1:-1] for line in (DEPLOY / "CAUSE-EFFECT.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    columns = [Effect[name.strip().replace(" ", "_")] for name in lines[0][3:-1]]
    shown = [sum(effect for effect, cell in zip(columns, line[3:-1], strict=True) if cell.strip() == "X") for line in lines[1:-1]]
    assert shown == [rule.effect for rule in RULES]


def test_the_deployed_configuration_is_the_defaults_at_a_sites_places():
    deployed, defaults = config.load(DEPLOY / "controller.toml"), config.Config()
    assert deployed.settings == defaults.settings
    assert deployed.gateway.mqtt == defaults.gateway.mqtt
    assert deployed.core.journal == "/var/lib/ovenctl/journal.sqlite"


def test_the_deployed_wiring_has_every_signal_in_one_request():
    wired = wiring.load(DEPLOY / "wiring.toml")
    assert set(wired.file.signals) == set(SIGNALS) - set(OWN_SIGNALS)
    assert wired.registers <= wiring.MAX_REGISTERS
    assert 60 <= len(SIGNALS) <= 110


def test_no_word_of_the_workplace_in_what_is_tracked():
    """No absolute path of a machine and no package registry in any text that ships."""
    root = DEPLOY.parent
    words = ("py" + "pi.org", "npm" + "js", "python" + "hosted", "/ro" + "ot/", "/wo" + "rk/", "/tm" + "p/")
    suffixes = (".py", ".toml", ".md", ".txt", ".service", ".conf", ".json", ".mjs")
    texts = [path for path in root.rglob("*") if path.suffix in suffixes and not {".venv", "node_modules", "var"} & set(path.parts)]
    found = [(path.name, word) for path in texts for word in words if word in path.read_text("utf-8")]
    assert found == []


def test_the_product_catches_broadly_nowhere():
    """A bug is not caught: ``except Exception`` stands nowhere in the product."""
    sources = [path.read_text("utf-8") for folder in ("controller", "sim") for path in (DEPLOY.parent / folder).rglob("*.py")]
    assert sum(source.count("except Exception") + source.count("except BaseException") + source.count("except:") for source in sources) == 0
