"""Settings of MQTT: what cannot work or would leak a password is refused at the start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from controller import config
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


def test_relative_paths_start_at_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "controller.toml"
    file.write_text('[gateway.mqtt]\nusername = "u"\npassword_file = "password"\nca_file = "/etc/ca.pem"\n')
    mqtt = config.load(file).gateway.mqtt
    assert (mqtt.password_file, mqtt.ca_file, mqtt.key_file) == (str(tmp_path / "password"), "/etc/ca.pem", None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"username": "u", "password_file": "/nonexistent/password"},
            r"^controller\.toml: gateway\.mqtt\.password_file = '/nonexistent/password': must be a file that the gateway can read: No such",
        ),
        ({"ca_file": "/nonexistent/ca.pem"}, r"^controller\.toml: gateway\.mqtt\.ca_file = '/nonexistent/ca\.pem': must be a file"),
        ({"ca_file": __file__}, r"^controller\.toml: gateway\.mqtt\.ca_file = .*: must be certificates in PEM"),
        ({"username": "u", "password_file": __file__}, r"test_mqtt_settings\.py: password = '\d+ lines': must be one line"),
    ],
)
def test_a_missing_password_or_certificate_is_named_at_the_start(changes: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=says):
        publisher_of(Journal(), MqttSettings.model_validate(changes), tmp_path)
