"""Settings of MQTT: what cannot work or would leak a password is refused at the start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from controller.errors import FileError
from controller.northbound.mqtt import MqttSettings
from tests.mqtt_rig import Journal, publisher_of


@pytest.mark.parametrize(
    "wrong",
    [
        {"site": "a/b"}, {"oven": "#"}, {"oven": ""}, {"window": 0}, {"timeout_s": float("inf")}, {"port": 70000}, {"passwrd": "x"},
        {"password_file": "/x"}, {"key_file": "/x"}, {"certificate_file": "/x", "key_file": "/x"},
        {"host": "mqtt.example", "username": "u", "password_file": "/x"},
    ],
)  # fmt: skip
def test_settings_that_cannot_work_or_would_leak_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MqttSettings.model_validate(wrong)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"username": "u", "password_file": "/nonexistent/password"}, "password_file"),
        ({"ca_file": "/nonexistent/ca.pem"}, "ca_file"),
    ],
)
def test_a_missing_password_or_certificate_is_named_at_the_start(changes: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=says):
        publisher_of(Journal(), MqttSettings.model_validate(changes), tmp_path)
