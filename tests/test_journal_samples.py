"""What an entry's payload holds: a sample with its values and qualities, and numbers that are not finite."""

import math
from pathlib import Path

import numpy as np
import pytest

from controller.estimator.model import POSITIONS
from controller.image import OFF, SIGNALS, Forecast, Interval, ZoneEstimate
from controller.journal import samples
from controller.journal.entry import Entry, canonical
from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from controller.tags import Quality, Sample
from tests.journals import ESTIMATE, SETPOINTS, a_sample, an_image


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_a_number_that_is_not_finite_is_no_value() -> None:
    assert canonical({"b": math.nan, "a": [1.5, (math.inf, {"x": -math.inf})]}) == b'{"a":[1.5,[null,{"x":null}]],"b":null}'


def test_a_payload_that_is_no_json_object_has_no_fields(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        journal.append([Entry("state", 0.0, payload) for payload in (b"\xff", b"[1]", b"[" * 100_000)])
    with JournalReader(path) as reader:
        assert [one.fields() for one in reader.after(0)] == [{}, {}, {}]


def test_a_sample_keeps_values_qualities_and_what_was_wanted() -> None:
    image = an_image(7.0, z1_tc_a_c=239.5, z1_contactor=True, echo_crc=0xFFFF_FFFE)._replace(o2_pct=Sample(None, Quality.BAD_SENSOR, 7.0))
    outputs = OFF._replace(zone_sp_c=(240.0, 241.0, 242.0), phase_index=3, soak_s=12.5)
    payload = samples.pack(image, ESTIMATE, SETPOINTS, outputs, 4)
    values = samples.unpack(payload)
    expected = {
        "z1_tc_a_c": 239.5,
        "z1_contactor": 1.0,
        "echo_crc": 0xFFFF_FFFE,
        "sp_temp_c": 240.0,
        "z3_sp_c": 242.0,
        "film_max_c": 239.25,
        "residual_solvent_high": pytest.approx(0.035),
        "insoluble_low": 0.25,
        "evolution_kg_h": 0.5,
        "p_insoluble_in_window": 0.875,
        "est_valid": 1.0,
        "unit_state": 4.0,
        "phase_index": 3.0,
        "soak_s": 12.5,
    }
    assert {name: values[name] for name in expected} == expected
    assert math.isnan(values["o2_pct"])
    assert math.isnan(values["time_to_endpoint_s"])
    qualities = samples.unpack_qualities(payload)
    assert (qualities["z1_tc_a_c"], qualities["o2_pct"], qualities["z2_limit_c"]) == (Quality.GOOD, Quality.BAD_SENSOR, Quality.ABSENT)
    assert len(qualities) == len(SIGNALS)


def test_every_signal_and_every_extra_has_a_column_and_a_unit() -> None:
    assert sorted(samples.COLUMNS) == sorted([*SIGNALS, *samples.EXTRA])
    assert (samples.unit_of("z1_tc_a_c"), samples.unit_of("evolution_kg_h")) == ("degC", "kg/h")


def test_a_sample_keeps_what_is_believed_of_each_position_whatever_their_order() -> None:
    zones = [
        ZoneEstimate(name, 200.0 + i, Interval(i / 64, i / 128, i / 32), Interval(0.5, 0.25, 0.75)) for i, name in enumerate(POSITIONS)
    ]
    believed = ESTIMATE._replace(zones=tuple(reversed(zones)), blister=0.625, floor_mbar=12.5, evolution_kg_h=Interval(0.5, 0.25, 2.0))
    values = samples.unpack(samples.pack(an_image(7.0), believed, SETPOINTS, OFF, 1))
    for i, name in enumerate(POSITIONS):
        found = [values[column] for column in (f"film_{name}_c", *(f"residual_{name}{end}" for end in ("", "_low", "_high")))]
        assert found == [200.0 + i, i / 64, i / 128, i / 32]
        assert [values[f"insoluble_{name}{end}"] for end in ("", "_low", "_high")] == [0.5, 0.25, 0.75]
    assert (values["blister"], values["floor_mbar"]) == (0.625, 12.5)
    assert [values[f"evolution{end}_kg_h"] for end in ("", "_low", "_high")] == [0.5, 0.25, 2.0]


def test_a_position_that_was_not_estimated_has_no_value() -> None:
    values = samples.unpack(samples.pack(an_image(), ESTIMATE._replace(zones=()), SETPOINTS, OFF, 1))
    assert all(math.isnan(values[name]) for name in samples.COLUMNS if name.endswith(POSITIONS))


def test_the_time_to_the_finish_counts_down_from_the_forecast() -> None:
    forecast = Forecast(100.0, Interval(500.0, 30.0, 900.0), None, 0.5, (), (), (), ())
    for at_s, expected in ((100.0, [500.0, 30.0, 900.0]), (160.0, [440.0, 0.0, 840.0])):
        values = samples.unpack(samples.pack(an_image(at_s), ESTIMATE._replace(forecast=forecast), SETPOINTS, OFF, 1))
        assert [values[f"time_to_finish{end}_s"] for end in ("", "_low", "_high")] == expected
    values = samples.unpack(samples.pack(an_image(), ESTIMATE, SETPOINTS, OFF, 1))
    assert math.isnan(values["time_to_finish_s"])


def test_without_a_fresh_forecast_nothing_is_said_of_what_is_coming() -> None:
    for foreseen, coming in ((True, 0.25), (False, math.nan)):
        estimate = ESTIMATE._replace(coming=0.25, foreseen=foreseen)
        found = samples.unpack(samples.pack(an_image(), estimate, SETPOINTS, OFF, 1))["insoluble_coming"]
        np.testing.assert_equal(found, coming)


def test_the_positions_are_those_of_the_estimator() -> None:
    assert samples.POSITIONS == POSITIONS


def test_a_number_too_large_for_the_record_is_infinite_and_stops_nothing() -> None:
    payload = samples.pack(an_image(), ESTIMATE._replace(film_max_c=-1e300), SETPOINTS, OFF, 0)
    assert samples.unpack(payload)["film_max_c"] == -math.inf


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x09" + a_sample(0.0).payload[1:], a_sample(0.0).payload[:-1]])
def test_a_sample_that_does_not_fit_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="sample"):
        samples.unpack(payload)
