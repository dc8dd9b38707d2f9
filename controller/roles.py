"""Who may do what: four roles, each with the rights of those before it."""

from enum import IntEnum


class Role(IntEnum):
    """A person's role; the order is the order of rights."""

    VIEWER = 0
    OPERATOR = 1
    ENGINEER = 2
    ADMIN = 3
