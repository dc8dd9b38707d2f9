"""Every kind of combination of what can become of a zone's thermocouples, on the soft PLC and its plant."""

from itertools import permutations, product

import pytest

from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.recipe.states import UnitState
from tests.images import BAD, image
from tests.rigs import prepared
from tests.voting import EVERY, FAULTS, UNLIKE, struck, wrong

READ = {"sound": 150.0, "open": BAD, "out of range": BAD, "short": 23.0, "jumped": 190.0, "stuck": 149.0, "shifted": 153.0}


def vote(faults):
    """Return what the vote makes of a zone's readings in one scan."""
    readings = {f"z1_tc_{sensor}_c": READ[fault] for sensor, fault in zip("abc", faults, strict=True)}
    return condition(Limits(), image(z1_limit_c=150.0, **readings)).zones[0]


def test_the_vote_does_not_care_which_of_three_thermocouples_does_what():
    assert READ.keys() == FAULTS.keys()
    assert {tuple(sorted(faults)) for faults in EVERY} == {tuple(sorted(faults)) for faults in UNLIKE}
    for faults in UNLIKE:
        found = [vote(other) for other in permutations(faults)]
        assert len({one.valid for one in found}) == 1
        assert all(one.temp_c == pytest.approx(found[0].temp_c) for one in found)


@pytest.mark.parametrize("phase", ["vacuum", "nitrogen"])
def test_heat_goes_exactly_when_fewer_than_two_tell_the_truth(phase):
    """Half of the combinations in each phase, in another zone from one to the next; single faults in both. `make votes` makes them all."""
    half = ("vacuum", "nitrogen").index(phase)
    cases = [(1 + number % 3, faults) for number, faults in enumerate(UNLIKE) if number % 2 == half or faults.count("sound") == 2]
    assert [f"zone {zone}, {faults}: {what}" for zone, faults in cases if (what := wrong(phase, zone, faults))] == []


@pytest.mark.parametrize(("fault", "zone"), [(fault, 1 + number % 3) for number, fault in enumerate(FAULTS)])
def test_one_thermocouple_alone_never_stops_a_batch_whichever_it_is(fault, zone):
    for faults in set(permutations((fault, "sound", "sound"))):
        seen = struck(prepared("vacuum"), zone, faults)
        assert seen.state is UnitState.RUNNING
        assert seen.heat


def test_two_that_lie_alike_do_not_outvote_the_third_and_its_limit_thermocouple():
    seen = struck(prepared("vacuum"), 2, ("jumped", "jumped", "sound"))
    assert not seen.heat
    assert seen.state is UnitState.HELD
    assert "I21" in seen.rows


def test_a_case_that_is_not_as_it_must_be_is_told(monkeypatch):
    monkeypatch.setattr("tests.voting.VOTE_C", 1000.0)  # whatever is shown counts as the truth
    assert wrong("vacuum", 1, ("jumped", "short", "sound")).startswith("3 tell the truth, and the batch is HELD: ")
    monkeypatch.setattr("tests.voting.VOTE_C", -1.0)
    assert wrong("vacuum", 1, ("shifted", "shifted", "sound")) == "1 tells the truth, and heat is on"


def test_every_combination_is_made():
    assert len(EVERY) == 7**3
    assert len(UNLIKE) == 84
    assert set(product(FAULTS, repeat=3)) == set(EVERY)
