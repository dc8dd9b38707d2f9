"""What people do through node-opcua: sessions by name, calls with typed arguments, events to wait for."""

import base64
from typing import Any

from tests.node import Node
from tests.opcua_rig import PASSWORD, RECIPE, Site
from tests.works import Works


class Client:
    """node-opcua with the sessions of several people."""

    def __init__(self, node: Node, site: Works | Site) -> None:
        self.node, self.site = node, site

    async def come(self, person: str, session: str = "", password: str = PASSWORD, **way: str) -> Any:
        return await self.node.ask("connect", session=session or person, url=self.site.url, user=person, password=password, **way)

    async def ask(self, person: str, op: str, **asked: Any) -> Any:
        return await self.node.ask(op, session=person, **asked)

    async def call(self, person: str, method: str, *args: Any) -> dict[str, Any]:
        owner = method.rpartition(".")[0]
        found: dict[str, Any] = await self.ask(person, "call", object=oven(owner), method=oven(method), args=[typed(one) for one in args])
        return found

    async def done(self, person: str, method: str, *args: Any) -> list[Any]:
        """Call, see that the call is good, and return what it gives."""
        found = await self.call(person, method, *args)
        assert found["status"] == "Good", (method, found)
        outputs: list[Any] = found["outputs"]
        return outputs

    async def value(self, person: str, name: str) -> Any:
        (found,) = await self.ask(person, "read", nodes=[oven(name)])
        return found["value"]

    async def events(self, person: str, subscription: str) -> list[dict[str, Any]]:
        return (await self.ask(person, "collected", subscription=subscription))["events"]

    async def event(self, person: str, subscription: str, after: int = 0, **wanted: Any) -> dict[str, Any]:
        """Wait for an event with these fields among those behind the first ``after``, and return it."""

        async def found() -> dict[str, Any] | None:
            events = (await self.events(person, subscription))[after:]
            return next((one for one in events if all(one[key.replace("_", ".")] == value for key, value in wanted.items())), None)

        return await self.site.until(found)


def oven(name: str) -> str:
    return f"ns=2;s=Oven.{name}"


class U32(int):
    """A number that goes out as UInt32."""


def typed(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    kind = type(value[0]) if isinstance(value, list) and value else type(value)
    return {"type": {str: "String", float: "Double", U32: "UInt32", int: "Int32", bytes: "ByteString"}[kind],
            "value": base64.b64encode(value).decode() if isinstance(value, bytes) else value}  # fmt: skip


TEXTS, NUMBERS = {"type": "String", "value": []}, {"type": "Double", "value": []}
LOAD = (["SR-0001"], "PAI-TRIAL", "NMP", 110.0, 18.0, 1.0, 20.0, 0.5, 18.0, 20.0, 100.0, 150.0, "PI tape", TEXTS, NUMBERS)


def recipe(name: str, revision: int = 1) -> str:
    """Return the trial recipe under another id and revision."""
    number = next(line for line in RECIPE.splitlines() if line.startswith("revision ="))
    return RECIPE.replace('id = "trial-short"', f'id = "{name}"').replace(number, f"revision = {revision}", 1)
