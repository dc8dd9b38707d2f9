"""Files that an editor saved with a byte order mark: every reader says what is wrong with them, and what helps."""

from collections.abc import Callable
from pathlib import Path

import pytest

from controller import config, wiring
from controller.calibrate import parameter_set
from controller.errors import FileError
from controller.journal.product import read_lab_file
from controller.northbound.opcua import users
from controller.recipe.reading import read_load, read_recipe

READERS = (config.load, wiring.load, users.read, parameter_set.read, read_lab_file, read_recipe, read_load)


@pytest.mark.parametrize("read", READERS, ids=lambda read: f"{read.__module__}.{read.__name__}")
def test_a_byte_order_mark_is_told_as_such(read: Callable[[Path], object], tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text("answer = 42\n", encoding="utf-8-sig")
    with pytest.raises(FileError, match=r"file\.toml: file = .*begins with a byte order mark; save as UTF-8 without"):
        read(file)
