"""The scan of a calm oven of which only alarms are looked at, and causes that raise them."""

import random

from controller.alarms.states import find, state_of
from controller.command import Command
from controller.memory import Memory, Settings
from controller.roles import Role
from controller.scan import scan
from tests.images import bare, image

SETTINGS = bare()
ROOM_LOW = {"room_o2_pct": 19.0}  # I20W: warns, clears by itself, 5 s delay, 10 s off-delay
LOCAL = {"remote": False}  # I28L: holds, keeps a latch, no delay
N2_VALVE = {"n2_valve_open": True}  # C1N: holds, keeps a latch, 5 s delay


class Oven:
    """The scan with a calm oven's image, changed as the test says; remembers every note."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.settings, self.memory, self.at_s, self.notes, self.records = settings, Memory(), 100.0, [], []

    def run(self, seconds, *commands, **changed):
        """Scan ``seconds`` times, the commands in the first scan; return the alarm events of that time as (rule, event, state)."""
        before = len(self.notes)
        for second in range(seconds):
            self.at_s += 1.0
            asked = commands if second == 0 else ()
            self.memory, record = scan(self.settings, self.memory, image(at_s=self.at_s, **changed), asked)
            self.notes += record.notes
            self.records.append(record)
        return [
            (note.content["rule"], note.content["event"], note.content["state"])
            for note in self.notes[before:]
            if note.kind == "alarm" and note.content["priority"] != "JOURNAL"
        ]

    def ask(self, verb, role=Role.ENGINEER, reason="because of the test", user="anna", **args):
        """Return a command."""
        number = len(self.notes) + len(self.records)
        return Command(f"id-{number}-{verb}-{args}", user, verb, None, number, reason=reason, args=args, role=role)

    def answer(self):
        """Return whether the last command was accepted, and the answer."""
        content = next(note.content for note in reversed(self.notes) if note.kind == "command")
        return content["accepted"], content["answer"]

    def state(self, rule):
        return state_of(find(self.memory.alarms, rule))


def trouble(seed):
    """Return images' changes of ten minutes in which things go wrong and right again."""
    chance = random.Random(seed)
    causes = [ROOM_LOW, LOCAL, N2_VALVE, {"door_closed_a": False}, {"n2_header_bar": 3.5}, {"n2_header_bar": 2.0}, {"gateway_ok": False},
              {"z1_tc_a_c": 60.0}, {"pressure_cap_mbar": 1070.0}, {"exhaust_lel_pct": 30.0}, {"condensate_kg": 14.0}]  # fmt: skip
    return [dict(pair for cause in chance.sample(causes, chance.randint(0, 3)) for pair in cause.items()) for _ in range(60)]
