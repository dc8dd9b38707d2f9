"""The cursor file, which says how far the journal has been delivered."""

from pathlib import Path

import pytest

from controller.errors import FileError
from controller.northbound import cursor
from controller.northbound.mqtt import MqttSettings
from tests.mqtt_rig import Journal, publisher_of, settings_for


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"seq": "5"}', b'{"seq": -1}', b'{"seq": 1, "extra": 2}', b'{"at_s": NaN}', b"\xff\xfe", b"[" * 4000],
)
def test_a_cursor_that_cannot_be_read_is_refused_by_name_and_left_alone(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "mqtt.cursor"
    file.write_bytes(content)
    with pytest.raises(FileError, match=r"mqtt\.cursor.*move the file away"):
        publisher_of(Journal(), MqttSettings(), tmp_path)
    assert file.read_bytes() == content


async def test_a_cursor_of_another_journal_is_refused(mosquitto_port: int, tmp_path: Path) -> None:
    cursor.save(tmp_path / "mqtt.cursor", cursor.Cursor(seq=7, boot=1, hash="ff"))
    for journal in (Journal(3), Journal(20)):
        with pytest.raises(FileError, match="no such entry"):
            await publisher_of(journal, settings_for(mosquitto_port, "other"), tmp_path).run()


def test_a_cursor_is_what_was_saved(tmp_path: Path) -> None:
    entry = Journal(9).entries[-1]
    cursor.save(tmp_path / "c", cursor.at(entry))
    assert cursor.load(tmp_path / "c") == cursor.Cursor(seq=9, boot=3, at_s=9.0, hash="09")
    assert [file.name for file in tmp_path.iterdir()] == ["c"]
