"""node-opcua in a process of its own, moved by lines of JSON: the client and the server of ``tests/interop`` that nobody here wrote."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "interop"
START_S, ANSWER_S = 30.0, 30.0
_LONGEST = 16 * 1024 * 1024  # bytes of an answer


class NodeError(Exception):
    """What node-opcua threw, in its own words."""


def program() -> str:
    """Return node; where it or its packages are missing skip, or fail where CI=true promises that everything is installed."""
    found = shutil.which("node")
    packages = FOLDER / "node_modules" / "node-opcua-client"
    if found is not None and packages.is_dir():
        return found
    missing = "node is not installed" if found is None else f"no node-opcua in {packages.parent} (make interop)"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


class Node:
    """One script that runs."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process, self.log = process, log
        self.hello: Any = None
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read(), name="node")

    async def ask(self, op: str, **asked: Any) -> Any:
        """Return the answer to one operation. Raises NodeError."""
        self._number += 1
        answer = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"id": self._number, "op": op, **asked}).encode() + b"\n")
        return await asyncio.wait_for(answer, ANSWER_S)

    async def began(self) -> None:
        self._waiting[0] = asyncio.get_running_loop().create_future()
        self.hello = await asyncio.wait_for(self._waiting[0], START_S)

    async def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), 5)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            said = json.loads(line)
            waiting = self._waiting.pop(said["id"], None)
            if waiting is None or waiting.done():
                continue
            if "error" in said:
                waiting.set_exception(NodeError(said["error"]))
            else:
                waiting.set_result(said["result"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NodeError(f"node has ended; see {self.log}: {self.log.read_text()[-2000:]}"))


@asynccontextmanager
async def node(script: str, folder: Path, *arguments: str) -> AsyncIterator[Node]:
    """Run ``script`` of ``tests/interop``; what it says on stderr goes to a file in ``folder``."""
    log = folder / f"{script}.log"
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            program(), str(FOLDER / script), *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors, limit=_LONGEST, cwd=folder,
        )  # fmt: skip
    one = Node(process, log)
    try:
        await one.began()
        yield one
    finally:
        await one.end()
