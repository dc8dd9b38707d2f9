"""Topics and payloads of MQTT, and the document that lists them."""

import json
from pathlib import Path

from controller.northbound import topics
from controller.tags import Quality
from tests.mqtt_rig import Written


def test_a_value_that_is_not_good_or_not_finite_is_null() -> None:
    values = {"a": 1.0, "b": 2.0, "c": float("nan"), "est": float("nan"), "sp": 5.0}
    view = topics.split(values, {"a": Quality.GOOD, "b": Quality.STALE, "c": Quality.BAD_SENSOR})
    assert view == topics.SampleView({"a": (1.0, "GOOD"), "b": (None, "STALE"), "c": (None, "BAD_SENSOR")}, {"est": None, "sp": 5.0})


def test_a_sample_of_another_version_becomes_an_event_and_holds_up_nothing() -> None:
    def unpack(entry: topics.Entry) -> topics.SampleView:
        raise ValueError("layout 9")

    found = list(topics.messages(Written(1, 1, "sample", 0.0, 0, b"\x09", b""), unpack, with_samples=True))
    assert [(message.topic, json.loads(message.payload)["entry"]) for message in found] == [("event", {"unreadable": "layout 9"})]


def test_every_kind_of_the_journal_has_a_topic() -> None:
    from controller.journal.entry import KINDS as JOURNAL_KINDS

    listed = {kind for topic in topics.TOPICS for kind in topic.kinds} | topics.NOT_PUBLISHED
    assert listed == JOURNAL_KINDS.keys()


def test_the_document_is_fresh() -> None:
    path = Path(__file__).parent.parent / "deploy" / "MQTT.md"
    renew = "python -c 'from controller.northbound.topics import document; print(document(), end=\"\")' > deploy/MQTT.md"
    assert path.read_text() == topics.document(), f"renew it: {renew}"
