"""What is believed of one batch at one moment, as one block of numbers: state of every member, slow scales, instruments."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator import layers
from controller.estimator.layers import Slow, State
from controller.estimator.members import CELLS, MEMBERS, SENSORS, Members
from controller.estimator.model import POSITIONS
from controller.units import kelvin

Array = NDArray[np.float64]

_STATE: Final = (CELLS + 3) * len(POSITIONS)
_SLOW: Final = len(Slow._fields)
COLUMNS: Final = _STATE + _SLOW + 1 + 2 * len(SENSORS) + 2


class Belief(NamedTuple):
    """Arrays with one row or value per member."""

    state: State
    slow: Slow
    log_gain: Array  # (MEMBERS,) of what the flux instruments show per kg
    offset_k: Array  # (MEMBERS, 3) of the load thermocouples
    contact: Array  # (MEMBERS, 3) share of the wall in what they read
    leaving_kg: Array  # (MEMBERS,) predicted to have left since the flux window opened
    hidden_kg: Array  # (MEMBERS,) predicted to have passed the instruments since the start, as these would show it


def fresh(members: Members, temp_c: float) -> Belief:
    """Return the belief about a load that has just come into the oven at ``temp_c``."""
    state = layers.initial(members.model, kelvin(temp_c), members.residual)
    return Belief(state, members.slow, members.log_gain, members.offset_k, members.contact, np.zeros(MEMBERS), np.zeros(MEMBERS))


def pack(belief: Belief) -> bytes:
    """Return the belief as float64, one row per member, in the order in which ``unpack`` reads it."""
    table = np.empty((MEMBERS, COLUMNS))
    table[:, :_STATE] = belief.state.block
    for column, values in enumerate((*belief.slow, belief.log_gain), _STATE):
        table[:, column] = values
    sensors = table[:, _STATE + _SLOW + 1 : -2]
    sensors[:, : len(SENSORS)], sensors[:, len(SENSORS) :] = belief.offset_k, belief.contact
    table[:, -2], table[:, -1] = belief.leaving_kg, belief.hidden_kg
    return table.tobytes()


def unpack(block: bytes) -> Belief:
    """Return what ``block`` holds, as arrays of its own."""
    table = np.frombuffer(block, dtype=np.float64).reshape(MEMBERS, COLUMNS)
    rest = np.ascontiguousarray(table[:, _STATE:].T)
    return Belief(
        State(table[:, :_STATE].copy(), len(POSITIONS)),
        Slow(*rest[:_SLOW]),
        rest[_SLOW],
        np.ascontiguousarray(rest[_SLOW + 1 : _SLOW + 1 + len(SENSORS)].T),
        np.ascontiguousarray(rest[_SLOW + 1 + len(SENSORS) : -2].T),
        rest[-2],
        rest[-1],
    )
