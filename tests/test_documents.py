"""Generated documents are as fresh as the tables they come from, and the deployed files are what the code accepts."""

from pathlib import Path

import pytest

from controller import config, printing, wiring
from controller.image import OWN_SIGNALS, SIGNALS

DEPLOY = Path(__file__).parents[1] / "deploy"
GENERATED = {
    "IO-LIST.md": printing.io_list,
    "INTERLOCKS.md": printing.interlock_matrix,
    "controller.toml": printing.config_file,
}


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_fresh(name):
    stored = (DEPLOY / name).read_text("utf-8")
    assert GENERATED[name]() in stored, "renew it with `ovenctl print`"


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
    suffixes = (".py", ".toml", ".md", ".txt", ".service", ".conf")
    texts = [path for path in root.rglob("*") if path.suffix in suffixes and ".venv" not in path.parts]
    found = [(path.name, word) for path in texts if "var" not in path.parts for word in words if word in path.read_text("utf-8")]
    assert found == []


def test_the_product_catches_broadly_nowhere():
    """A bug is not caught: ``except Exception`` stands nowhere in the product."""
    sources = [path.read_text("utf-8") for folder in ("controller", "sim") for path in (DEPLOY.parent / folder).rglob("*.py")]
    assert sum(source.count("except Exception") + source.count("except BaseException") + source.count("except:") for source in sources) == 0
