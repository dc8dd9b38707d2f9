"""What a person at the command line is told when the journal is no more written, and what a program gets where there is no number."""

import json
from math import inf, nan

import pytest

from controller import status
from controller.intake import command_of
from controller.journal.mailbox import MailboxRow
from controller.roles import Role

BARE = {"state": "RUNNING", "alarms": [], "permissives": []}


@pytest.mark.parametrize(("ago_s", "told"), [(None, False), (status.OLD_S, False), (status.OLD_S + 1.0, True)])
def test_a_state_that_nobody_has_written_for_long_is_shown_as_it_was(ago_s: float | None, told: bool) -> None:
    shown = list(status.lines({**BARE, "written_ago_s": ago_s}))
    assert (shown[0][0] == "AS IT WAS") is told
    assert not told or shown[0][1].startswith("91 s ago: nothing has been written since")


def test_what_is_no_number_is_null() -> None:
    assert json.loads(json.dumps(status.plain({"a": [nan, 1.5], "b": (inf, None), "c": {"d": -inf}, "e": "x"}), allow_nan=False)) == {
        "a": [None, 1.5], "b": [None, None], "c": {"d": None}, "e": "x",
    }  # fmt: skip


@pytest.mark.parametrize(("role", "kept"), [("operator", Role.OPERATOR), ("admin", Role.ADMIN), ("king", Role.VIEWER)])
def test_a_refused_command_keeps_the_role_of_who_gave_it(role: str, kept: Role) -> None:
    row = MailboxRow(1, "id", "eve", "EXPLODE", {}, None, 0, 10.0, role)
    assert command_of(row, 0).role is kept
