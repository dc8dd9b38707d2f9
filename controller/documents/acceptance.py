"""The factory-acceptance protocol: one step per clause of the contract with the PLC and one per row of the interlock table."""

from typing import Final

from controller.block import Reason
from controller.documents.injections import INJECTIONS, SITUATIONS
from controller.documents.markdown import table
from controller.documents.words import RESETS, delay_s, effects_of, name_of
from controller.interlocks.evaluate import STOPPING
from controller.interlocks.rule import Rule
from controller.interlocks.table import RULES

SCANS_S: Final = 2.0  # one scan to see the cause, one to write what follows

# clause of PLC-CONTRACT.md, what is done, what must be seen, within how long
CLAUSES: Final = (
    ("1", "Send valid blocks from the controller.", "Echo shows epoch, counter and CRC of each; reason OK.", "2 s"),
    ("1", "Write a single register of the block, and a block in two pieces.", "Refused; nothing of it is used; outputs unchanged.",
     "2 s"),
    ("1", "Replay an old block.", "Refused; outputs unchanged.", "2 s"),
    ("2", "Kill the controller's process while heating.",
     "Warning at 3 s, safe state at 5 s: heat off, N2, exhaust, condenser, circulation on.", "3 s / 5 s"),
    ("2", "Leave it dead.", "Controlled cool-down T_hold after that.", "15 min"),
    ("2", "Stop the scan but keep the connection and the reads alive.", "The same: only an accepted block is a heartbeat.", "5 s"),
    ("2", "Set the PLC's watchdog to 0.", "Shown as 0; START is refused (I28W).", "2 s"),
    ("3", "Ask for a set point, a rate and an output beyond the oven's limits.", "Clamped at the PLC's own limits.", "1 s"),
    ("3", "Take away, one by one: lease, atmosphere, exhaust, circulation, door, chain, limiter.",
     "No heat; the heat block word names it.", "1 s"),
    ("3", "Ask for N2 inlet and vacuum valve together, and for vent and pump.", "Never both open.", "-"),
    ("3", "Ask for door and vent on a warm load.", "Both stay shut.", "-"),
    ("3", "Ask for the door of a cold chamber full of N2; then draw air through it.", "Locked until 19.5 vol% O2 are behind it.", "-"),
    ("3", "The same with one door switch open, and with air at the analyser.", "Locked until air was drawn through for 4 min.", "-"),
    ("3", "After a trip send HEAT_ENABLE without RESET; then RESET without PURGE_PERMISSION; then in the right order.",
     "Heat only after the right order, and only after a purge that the PLC counted.", "-"),
    ("4", "Switch the PLC off and on while a batch runs, also faster than one scan.",
     "Safe state, epoch 0, new boot id; batch held (I28).", "2 s"),
    ("5", "Send the same block twice; open and close each valve.", "One effect; echo, then feedback; intent and outcome in the journal.",
     "2 s / 5 s"),
    ("6", "Freeze the image behind the communication processor.", "plc_alive stands still; all values stale (I27W); no heat.", "3 s"),
    ("6", "Freeze the controller's source image.", "Block refused, reason STALE_SOURCE.", "3 s"),
    ("7", "Connect a PLC with another serial number, another map version, swapped words.",
     "The controller refuses to start or to connect.", "at connect"),
    ("8", "Run the proof test before a batch; then spoil one of its checks.", "Passed; then failed with the check named, START refused.",
     "2 min"),
)  # fmt: skip
REFUSED: Final[dict[Reason, str]] = {
    Reason.BAD_MAGIC: "another first word",
    Reason.BAD_MAP: "another map version",
    Reason.BAD_CRC: "one bit flipped",
    Reason.BAD_COMPLEMENT: "the complement of another counter, CRC right",
    Reason.COUNTER_NOT_ADVANCED: "the same counter again",
    Reason.EPOCH_OLDER: "an epoch smaller by one",
    Reason.LEASE_HELD: "another master while the lease is held",
    Reason.STALE_SOURCE: "a source_alive older than 3 s",
    Reason.NO_BATCH: "mode RUN without batch number or recipe hash",
    Reason.LOCAL: "any block while the switch is in local",
    Reason.BAD_VALUE: "a set point that is NaN; an unknown mode",
}
_ROW_HEADER: Final = (
    *("step", "row", "condition", "situation", "inject", "expect", "within"),
    *("first-out", "goes away", "result", "date, sign"),
)
_SIGNING: Final = ("supplier", "operator of the oven", "safety")
_BLANK: Final = ("☐ pass ☐ fail", "")
_HEAD: Final = """\
# Factory acceptance test

Made by `ovenctl print fat` from controller/interlocks/table.py, controller/block.py and controller/documents; a test keeps it fresh.
First on the soft PLC (`ovensim plc`), then on the oven with the real PLC, cold and empty wherever the step allows it. Every step that
injects a cause is done by two people, one of them at the main isolator. Times are from the cause to the effect: the row's delay and two
scans.

| | |
|---|---|
| oven, serial number | |
| `ovenctl` version, SHA-256 of controller.toml (boot entry of the journal) | |
| PLC program, serial number, boot id | |
| wiring.toml, SHA-256 | |
| start, end | |
| names of the witnesses | |

For each row with a threshold, first bring the value to just inside the limit and wait for the delay: nothing may happen. Then inject
the cause. After each step look at `ovenctl alarms`: the alarm, its state, and FIRST OUT where the table says so; then take the cause
away, look that nothing goes on by itself unless the table says so, and reset. The journal is kept with this protocol (`ovenctl journal
verify`).

## Situations

"""


def acceptance_test() -> str:
    """Return ``deploy/FAT.md``."""
    situations = table(("situation", "what it is"), SITUATIONS.items())
    rows = [_row(number, rule) for number, rule in enumerate((rule for rule in RULES if rule.id in INJECTIONS), 1)]
    return (
        _HEAD + situations
        + "\n## The contract with the PLC\n\n" + table(("step", "clause", "do", "expect", "within", "result", "date, sign"), _clauses())
        + "\n## Blocks that must be refused\n\nEach by hand with a Modbus client, all else right; outputs must not move.\n\n"
        + table(("step", "block", "reason shown", "result", "date, sign"), _refused())
        + "\n## The interlock table\n\n"
        + table(_ROW_HEADER, rows)
        + "\n## Acceptance\n\n" + table(("for", "name", "date", "signature"), [(who, "", "", "") for who in _SIGNING])
    )  # fmt: skip


def _clauses() -> list[tuple[str, ...]]:
    return [(f"P{number}", clause, do, expect, within, *_BLANK) for number, (clause, do, expect, within) in enumerate(CLAUSES, 1)]


def _refused() -> list[tuple[str, ...]]:
    return [(f"B{number}", text, f"{int(reason)} {reason.name}", *_BLANK) for number, (reason, text) in enumerate(REFUSED.items(), 1)]


def _row(number: int, rule: Rule) -> tuple[str, ...]:
    injection = INJECTIONS[rule.id]
    first, within = "yes" if rule.effect & STOPPING else "no", f"{delay_s(rule) + SCANS_S:g} s"
    return (
        f"R{number}",
        name_of(rule),
        rule.text,
        injection.when,
        injection.how,
        effects_of(rule),
        within,
        first,
        RESETS[rule.reset],
        *_BLANK,
    )
