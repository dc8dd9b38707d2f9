"""The contract with the PLC, pure: who it is, whether it lives, whether it follows, who holds the lease."""

import pytest

from controller import block
from controller.errors import IdentityError
from controller.image import OFF, Inputs, Mode
from controller.southbound import contract
from tests.raw_plc import EPOCH, HEALTHY, MASTER, OWN, WIRING, names
from tests.registers import image_of

START = contract.Memory(epoch=EPOCH, master=MASTER, serial=WIRING.file.plc_serial)


def shown(at_s: float, **values: float) -> Inputs:
    return WIRING.decode(image_of(WIRING, HEALTHY | values), at_s, 1.0, OWN)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"plc_signature": 0x454E_4F56}, "signature: expected 0x4F56454E, seen 0x454E4F56"),
        ({"plc_signature": 0}, "seen 0x00000000"),
        ({"plc_map_version": 2}, "map version: expected 1, seen 2"),
        ({"plc_serial": 4712}, "serial number: expected 4711, seen 4712"),
    ],
)
def test_an_impostor_is_named_with_what_was_expected_and_seen(values: dict[str, float], says: str) -> None:
    with pytest.raises(IdentityError, match=says):
        contract.seen(START, shown(0.0, **values), 0.0)


def test_a_shifted_map_is_an_impostor() -> None:
    shifted = [0, *image_of(WIRING, HEALTHY)[:-1]]
    with pytest.raises(IdentityError):
        contract.check_identity(WIRING.decode(shifted, 0.0, 1.0, OWN), 4711)


def test_blocks_count_up_and_carry_the_alive_counter_that_was_looked_at() -> None:
    memory, _ = contract.seen(START, shown(0.0, plc_alive=41), 0.0)
    memory, first = contract.next_block(memory, OFF, 0.0)
    memory, second = contract.next_block(memory, OFF._replace(mode=Mode.HOLD), 1.0)
    blocks = [block.decode(registers)[0] for registers in (first, second)]
    assert [(b.epoch, b.counter, b.master, b.source_alive) for b in blocks if b] == [(EPOCH, 1, MASTER, 41), (EPOCH, 2, MASTER, 41)]


def test_a_block_that_is_acknowledged_but_not_followed_shows_after_two_seconds_and_heals_with_the_echo() -> None:
    memory, _ = contract.seen(START, shown(0.0, plc_alive=1), 0.0)
    crcs = []
    for at_s in range(3):
        memory, registers = contract.next_block(memory, OFF, float(at_s))
        crcs.append(registers[-1])
    memory, events = contract.judged(memory, 2.0)
    assert (memory.echo_ok, events) == (True, [])
    memory, events = contract.seen(memory, shown(2.5, plc_alive=2, echo_epoch=EPOCH, echo_counter=3, echo_crc=crcs[2] ^ 1), 2.5)
    assert (memory.echo_ok, names(events)) == (False, ["echo_lost"])  # another CRC is not an echo
    memory, events = contract.seen(memory, shown(3.0, plc_alive=3, echo_epoch=EPOCH, echo_counter=3, echo_crc=crcs[2]), 3.0)
    assert (memory.echo_ok, memory.confirmed, memory.waiting, names(events)) == (True, 3, (), ["echo_back"])


def test_an_echo_of_another_epoch_confirms_nothing() -> None:
    memory, registers = contract.next_block(START, OFF, 0.0)
    memory, _ = contract.seen(memory, shown(1.0, plc_alive=1, echo_epoch=EPOCH - 1, echo_counter=1, echo_crc=registers[-1]), 1.0)
    assert memory.confirmed == 0


def test_what_waits_for_an_echo_is_bounded_and_keeps_its_oldest() -> None:
    memory = START
    for at_s in range(1000):
        memory, _ = contract.next_block(memory, OFF, float(at_s))
    assert len(memory.waiting) == 256
    assert (memory.waiting[0].counter, memory.waiting[-1].counter) == (1, 1000)


def test_a_frozen_alive_counter_is_stale_after_three_seconds_even_while_data_move() -> None:
    memory, _ = contract.seen(START, shown(10.0, plc_alive=5), 10.0)
    told = []
    for at_s, degrees in ((11.0, 1.0), (12.9, 2.0), (13.0, 3.0), (14.0, 4.0)):
        memory, events = contract.seen(memory, shown(at_s, plc_alive=5, z1_tc_a_c=degrees), at_s)
        told.append(names(events))
    assert told == [[], [], ["stale"], []]
    memory, events = contract.seen(memory, shown(15.0, plc_alive=6), 15.0)
    assert names(events) == ["fresh"]


def test_a_reboot_faster_than_a_poll_is_seen_by_the_boot_id() -> None:
    memory, _ = contract.seen(START, shown(0.0, plc_alive=5), 0.0)
    memory, events = contract.seen(memory, shown(1.0, plc_alive=5, plc_boot_id=100), 1.0)
    assert (events, memory.rebooted, memory.alive_at_s) == ([contract.Event("rebooted", {"from": 99, "to": 100})], True, 1.0)
    memory, _ = contract.seen(memory, shown(2.0, plc_alive=6, plc_boot_id=100), 2.0)
    assert not memory.rebooted


def test_the_lease_is_told_when_it_changes_hands() -> None:
    memory, told = START, []
    for at_s, holder in enumerate((0, MASTER, MASTER, 12, 0, 13)):
        memory, events = contract.seen(memory, shown(float(at_s), plc_alive=at_s, plc_lease=holder), float(at_s))
        told.append(names(events))
    assert told == [[], ["lease_won"], [], ["lease_lost"], [], ["lease_held"]]


def test_a_watchdog_that_is_off_is_a_finding() -> None:
    memory, events = contract.seen(START, shown(0.0, plc_alive=1, plc_watchdog_s=0.0), 0.0)
    assert names(events) == ["watchdog_off"]
    assert not contract.link_state(memory, 0.0, connected=True, refused="").watchdog_on


def twin(at_s: float, memory: contract.Memory, epoch: int, counter: int, lease: int = MASTER) -> tuple[contract.Memory, list[str]]:
    memory, events = contract.seen(
        memory, shown(at_s, plc_alive=int(at_s) + 1, plc_lease=lease, echo_epoch=epoch, echo_counter=counter), at_s
    )
    return memory, names(events)


def test_no_block_takes_the_lease_of_a_core_with_our_number_that_lives() -> None:
    memory, told = START, []
    for at_s in range(6):
        memory, events = twin(float(at_s), memory, EPOCH - 1, 100 + at_s)
        told += events
        assert not contract.may_write(memory, float(at_s))
    assert told.count("twin") == 1
    memory, _ = twin(6.0, memory, EPOCH - 1, 105)
    assert not contract.may_write(memory, 60.0)  # it may only be slow; its lease says when it is gone
    memory, _ = twin(61.0, memory, EPOCH - 1, 105, lease=0)
    assert contract.may_write(memory, 61.0)


def test_the_lease_of_our_own_last_start_is_taken_when_its_echo_stands_still() -> None:
    memory, _ = twin(0.0, START, EPOCH - 1, 100)
    memory, events = twin(1.9, memory, EPOCH - 1, 100)
    assert (contract.may_write(memory, 1.9), contract.may_write(memory, 2.0), "twin" in events) == (False, True, False)
    memory, _ = contract.next_block(memory, OFF, 2.0)
    memory, events = twin(3.0, memory, EPOCH, 1)
    assert contract.may_write(memory, 3.0)
    assert "twin" not in events


def test_another_masters_lease_is_the_plcs_to_defend() -> None:
    memory, _ = twin(0.0, START, 3, 100, lease=MASTER + 1)
    assert contract.may_write(memory, 0.0)


@pytest.mark.parametrize(("echoed", "epoch"), [(EPOCH - 1, EPOCH), (EPOCH, EPOCH + 1), (EPOCH + 40, EPOCH + 41), (0, EPOCH)])
def test_a_core_with_a_new_journal_begins_above_the_epoch_that_the_plc_has_seen(echoed: int, epoch: int) -> None:
    memory, _ = twin(0.0, START, echoed, 100, lease=0)
    memory, registers = contract.next_block(memory, OFF, 0.0)
    sent = block.decode(registers)[0]
    assert sent is not None
    assert (memory.epoch, sent.epoch) == (epoch, epoch)
    memory, _ = twin(1.0, memory, epoch + 1, 1, lease=0)
    assert memory.epoch == epoch  # not in the middle: that would be another core's
