"""``controller.toml``: everything a site sets, with embedded defaults so that a demo needs no file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from controller.equipment import Strict
from controller.errors import FileError
from controller.memory import Settings
from controller.northbound.mqtt import MQTT_FILES, MqttSettings
from controller.northbound.opcua.settings import OpcuaSettings
from controller.southbound.modbus_settings import TLS_FILES, ModbusSettings
from controller.southbound.opcua_settings import OPCUA_FILES, OpcUaSettings, contradictions
from controller.validation import problems_of, read_toml

FilePath = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class Core(Strict):
    """The core process."""

    scan_s: Annotated[float, Field(ge=0.05, le=2.0, description="scan period, s of process time")] = 0.2
    rate: Annotated[float, Field(ge=1, le=1000, description="process seconds per second; 1 on a real oven")] = 1.0
    master: Annotated[int, Field(ge=1, le=65535, description="this controller's token for the PLC's lease")] = 1
    checkpoint_s: Annotated[float, Field(ge=1, le=600, description="how often the memory is journaled, s of process time")] = 60.0
    roles: Annotated[
        dict[Annotated[str, StringConstraints(min_length=1, max_length=64)], Literal["viewer", "operator", "engineer", "admin"]],
        Field(description="role of each person at the box's command line; the others are operators"),
    ] = Field(default_factory=dict)
    journal: FilePath = "var/journal.sqlite"
    mailbox: FilePath = "var/mailbox.sqlite"


class Plc(Strict):
    """The wire to the PLC."""

    wire: Annotated[Literal["modbus", "opcua"], Field(description="the section of the other one is not looked at")] = "modbus"
    modbus: ModbusSettings = ModbusSettings(host="127.0.0.1", port=5020)
    opcua: OpcUaSettings = OpcUaSettings()
    wiring: FilePath = "wiring.toml"


class Gateway(Strict):
    """The gateway process."""

    state_dir: FilePath = "var/gateway"
    mqtt: MqttSettings = MqttSettings()
    opcua: OpcuaSettings = OpcuaSettings()


class Config(Strict):
    """The whole file. Paths are relative to it."""

    core: Core = Core()
    plc: Plc = Plc()
    gateway: Gateway = Gateway()
    settings: Settings = Settings()


def load(path: Path) -> Config:
    """Return the configuration in ``path``, its paths made absolute.

    Raises:
        FileError: every mistake, with file, key, value and what is allowed.
    """
    try:
        config = Config.model_validate(read_toml(path))
    except ValidationError as error:
        raise FileError(str(path), problems_of(error, _keys(Config))) from error
    if config.plc.wire == "opcua" and (problems := list(contradictions(config.plc.opcua))):
        raise FileError(str(path), problems)
    return anchored(config, path.parent)


def anchored(config: Config, folder: Path) -> Config:
    """Return ``config`` with its relative paths below ``folder``."""
    core, plc, gateway = config.core, config.plc, config.gateway
    return config.model_copy(
        update={
            "core": core.model_copy(update={"journal": str(folder / core.journal), "mailbox": str(folder / core.mailbox)}),
            "plc": plc.model_copy(
                update={
                    "wiring": str(folder / plc.wiring),
                    "modbus": _below(folder, plc.modbus, TLS_FILES),
                    "opcua": _below(folder, plc.opcua, OPCUA_FILES),
                }
            ),
            "gateway": gateway.model_copy(
                update={"state_dir": str(folder / gateway.state_dir), "mqtt": _below(folder, gateway.mqtt, MQTT_FILES)}
            ),
        }
    )


def _below(folder: Path, settings: BaseModel, names: Sequence[str]) -> BaseModel:
    """Return ``settings`` with the paths among them that are given below ``folder``."""
    return settings.model_copy(update={name: str(folder / path) for name in names if (path := getattr(settings, name)) is not None})


def sha256_of(config: Config) -> str:
    """Return the SHA-256 of the configuration's canonical JSON."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _keys(field.annotation)
    return tuple(keys)
