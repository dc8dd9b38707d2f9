"""Recipes as files after Part 20: handles of one session, bounded in number, size and idle time; taken or refused as by Upload."""

import json
from collections.abc import Iterator

import pytest
from asyncua import ua

from controller.northbound.opcua import files
from controller.recipe.reading import MAX_BYTES
from tests.opcua_rig import Site, call, node, u32, until
from tests.test_opcua_methods import recipe

READ, WRITE = 1, 6
UPLOAD, RECEIPT, TRANSFER = "Recipes.UploadFile", "Recipes.ReceiptFile", "Recipes.Transfer"


def byte(value: int) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.Byte)


def i32(value: int) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.Int32)


def u64(value: int) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.UInt64)


async def opened(client, file: str, mode: int = WRITE) -> ua.Variant:
    return u32((await call(client, f"{file}.Open", byte(mode)))[0])


async def receipt(client) -> dict:
    handle = await opened(client, RECEIPT, READ)
    (content,) = await call(client, f"{RECEIPT}.Read", handle, i32(100_000))
    await call(client, f"{RECEIPT}.Close", handle)
    return json.loads(content)


@pytest.fixture(autouse=True)
def unhurried(opcua_site: Site) -> Iterator[None]:
    """Many uploads of one person in these tests; nothing stays open after them."""
    library = opcua_site.server.library
    library._slow_down = lambda user: None
    yield
    del library._slow_down


async def refused(coroutine) -> str:
    with pytest.raises(ua.UaStatusCodeError) as error:
        await coroutine
    return type(error.value).__name__


async def test_what_is_written_in_pieces_and_at_positions_is_one_recipe(opcua_site: Site) -> None:
    text = recipe("pieces").encode()
    async with opcua_site.connected("emma") as client:
        handle = await opened(client, UPLOAD)
        await call(client, f"{UPLOAD}.Write", handle, b"#" * 10)
        assert await call(client, f"{UPLOAD}.GetPosition", handle) == [10]
        await call(client, f"{UPLOAD}.SetPosition", handle, u64(0))
        await call(client, f"{UPLOAD}.Write", handle, text[:500])
        await call(client, f"{UPLOAD}.SetPosition", handle, u64(2**63))  # beyond the end is the end
        assert await call(client, f"{UPLOAD}.GetPosition", handle) == [500]
        await call(client, f"{UPLOAD}.Write", handle, text[500:])
        await call(client, f"{UPLOAD}.Close", handle)
        said = await receipt(client)
        assert (said["recipe"], said["revision"], said["verdict"] in ("READY", "DOUBTFUL")) == ("pieces", 1, True)
        assert await call(client, "Recipes.Download", "pieces", u32(1)) == [True, text.decode()]


async def test_a_handle_is_good_in_its_own_session_and_file_only(opcua_site: Site) -> None:
    async with opcua_site.connected("emma") as client, opcua_site.connected("emma") as other:
        handle = await opened(client, UPLOAD)
        for one, method, args in (
            (other, f"{UPLOAD}.Write", (b"x",)), (other, f"{UPLOAD}.Close", ()), (other, f"{UPLOAD}.GetPosition", ()),
            (client, f"{RECEIPT}.Read", (i32(1),)), (client, f"{RECEIPT}.Close", ()),
        ):  # fmt: skip
            assert await refused(call(one, method, handle, *args)) == "BadInvalidArgument", method
        assert await refused(call(client, f"{UPLOAD}.Read", handle, i32(1))) == "BadInvalidState"
        await call(client, f"{UPLOAD}.Close", handle)
        assert await refused(call(client, f"{UPLOAD}.Close", handle)) == "BadInvalidArgument"


DOWNLOAD = "Recipes.DownloadFile"
MODES = [
    (UPLOAD, 0, "BadInvalidArgument"), (UPLOAD, 4, "BadInvalidArgument"), (UPLOAD, 16, "BadInvalidArgument"),
    (UPLOAD, 5, "BadInvalidArgument"), (UPLOAD, 1, "BadNotReadable"), (UPLOAD, 3, "BadNotReadable"), (RECEIPT, 2, "BadNotWritable"),
    (DOWNLOAD, 1, "BadNotReadable"), (DOWNLOAD, 6, "BadNotWritable"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "mode", "code"), MODES)
async def test_a_mode_that_a_file_does_not_have_is_refused(opcua_site: Site, file: str, mode: int, code: str) -> None:
    async with opcua_site.connected("emma") as client:
        assert await refused(call(client, f"{file}.Open", byte(mode))) == code


async def test_so_many_files_may_be_open_and_an_end_of_the_session_closes_them(opcua_site: Site) -> None:
    open_ = opcua_site.server._files
    async with opcua_site.connected("erik") as client:
        for _ in range(files.MOST_OF_SESSION):
            handle = await opened(client, UPLOAD)
        assert await refused(call(client, f"{UPLOAD}.Open", byte(WRITE))) == "BadTooManyOperations"
        assert await node(client, f"{UPLOAD}.OpenCount").read_value() == files.MOST_OF_SESSION
        await call(client, f"{UPLOAD}.Close", handle)
        await opened(client, UPLOAD)

    def closed() -> bool:
        open_.sweep()
        return open_.count("UploadFile") == 0

    await until(closed)
    people = [await opcua_site.client("emma") for _ in range(files.MOST_OPEN // files.MOST_OF_SESSION)]
    for client in people:
        await client.connect()
        for _ in range(files.MOST_OF_SESSION):
            await opened(client, UPLOAD)
    async with opcua_site.connected("erik") as client:
        assert await refused(call(client, f"{UPLOAD}.Open", byte(WRITE))) == "BadTooManyOperations"
    for client in people:
        await client.disconnect()
    await until(closed)


async def test_a_handle_that_nobody_uses_is_closed_and_what_was_written_is_not_taken(
    opcua_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opcua_site.connected("emma") as client:
        handle = await opened(client, UPLOAD)
        await call(client, f"{UPLOAD}.Write", handle, recipe("left-alone").encode())
        monkeypatch.setattr(files, "IDLE_S", 0.05)
        audits: list[tuple] = []
        before = opcua_site.server._files.audit
        monkeypatch.setattr(opcua_site.server._files, "audit", lambda *said: (audits.append(said), before(*said)))

        def swept() -> bool:
            opcua_site.server._files.sweep()
            return bool(audits)

        await until(swept)
        assert audits[0][:2] == ("emma", "File UploadFile")
        assert "never closed: not taken" in audits[0][2]
        assert await refused(call(client, f"{UPLOAD}.Close", handle)) == "BadInvalidArgument"
        assert (await call(client, "Recipes.Download", "left-alone", u32(1)))[0] is False


async def test_more_than_a_recipe_may_have_is_refused_at_once_and_kept_as_evidence(opcua_site: Site) -> None:
    async with opcua_site.connected("emma") as client:
        handle = await opened(client, UPLOAD)
        await call(client, f"{UPLOAD}.Write", handle, b"#" * MAX_BYTES)
        assert await refused(call(client, f"{UPLOAD}.Write", handle, b"#")) == "BadRequestTooLarge"
        assert await refused(call(client, f"{UPLOAD}.Write", handle, b"#")) == "BadInvalidArgument"
        assert "at most" in json.dumps((await receipt(client))["receipt"])
    name, user, why = opcua_site.server.library.evidence()[-1]
    assert (name, user, str(MAX_BYTES) in why) == ("UploadFile", "emma", True)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"id = [", recipe("gone").encode()[:700], b"\x00\x01"])
async def test_what_is_no_recipe_closes_with_a_bad_status_and_is_kept_with_its_reason(opcua_site: Site, content: bytes) -> None:
    before = len(opcua_site.server.library.evidence())
    async with opcua_site.connected("emma") as client:
        handle = await opened(client, UPLOAD)
        await call(client, f"{UPLOAD}.Write", handle, content)
        assert await refused(call(client, f"{UPLOAD}.Close", handle)) == "BadConfigurationError"
        said = await receipt(client)
        assert (said["recipe"], said["verdict"], bool(said["receipt"]["problems"])) == ("", "REFUSED", True)
    kept = opcua_site.server.library.evidence()[before:]
    assert [(name, user) for name, user, _ in kept] == [("UploadFile", "emma")]


async def test_a_file_that_is_closed_with_nothing_written_was_not_meant(opcua_site: Site) -> None:
    before = opcua_site.server.library.evidence()
    async with opcua_site.connected("emma") as client:
        await call(client, f"{UPLOAD}.Close", await opened(client, UPLOAD))
    assert opcua_site.server.library.evidence() == before


async def test_a_receipt_is_ones_own(opcua_site: Site) -> None:
    async with opcua_site.connected("emma") as emma, opcua_site.connected("erik") as erik:
        for client, name in ((emma, "by-emma"), (erik, "by-erik")):
            handle = await opened(client, UPLOAD)
            await call(client, f"{UPLOAD}.Write", handle, recipe(name).encode())
            await call(client, f"{UPLOAD}.Close", handle)
        assert ((await receipt(emma))["recipe"], (await receipt(erik))["recipe"]) == ("by-emma", "by-erik")
        size = await node(emma, f"{RECEIPT}.Size").read_value()
        assert size == len(json.dumps(await receipt(emma)))


async def test_the_standards_transfer_commits_and_fetches_by_the_same_handles(opcua_site: Site) -> None:
    text = recipe("transferred")
    async with opcua_site.connected("emma") as client:
        file, handle = await call(client, f"{TRANSFER}.GenerateFileForWrite", "transferred.toml")
        assert file == ua.NodeId(f"Oven.{UPLOAD}", 2)
        await call(client, f"{UPLOAD}.Write", u32(handle), text.encode())
        assert await call(client, f"{TRANSFER}.CloseAndCommit", u32(handle)) == [ua.NodeId()]
        file, handle, machine = await call(client, f"{TRANSFER}.GenerateFileForRead", "transferred/1")
        assert (file, machine) == (ua.NodeId(f"Oven.{DOWNLOAD}", 2), ua.NodeId())
        assert await node(client, f"{DOWNLOAD}.Size").read_value() == len(text)
        assert await call(client, f"{DOWNLOAD}.Read", u32(handle), i32(MAX_BYTES)) == [text.encode()]
        assert await call(client, f"{DOWNLOAD}.Read", u32(handle), i32(10)) == [b""]
        await call(client, f"{DOWNLOAD}.Close", u32(handle))
        for which, code in (("transferred/2", "BadNotFound"), ("transferred", "BadInvalidArgument"), ("/1", "BadInvalidArgument"),
                            ("transferred/x", "BadInvalidArgument"), ("transferred/99999999", "BadInvalidArgument")):  # fmt: skip
            assert await refused(call(client, f"{TRANSFER}.GenerateFileForRead", which)) == code, which


async def test_a_files_methods_may_be_named_by_the_types_own_nodes(opcua_site: Site) -> None:
    async with opcua_site.connected("emma") as client:
        file = node(client, UPLOAD)
        handle = await file.call_method(ua.NodeId(ua.ObjectIds.FileType_Open), byte(WRITE))
        await file.call_method(ua.NodeId(ua.ObjectIds.FileType_Close), u32(handle))
        other = node(client, "Batch")
        assert await refused(other.call_method(ua.NodeId(ua.ObjectIds.FileType_Open), byte(WRITE))) == "BadMethodInvalid"


async def test_whether_a_file_may_be_written_is_said_to_each_for_himself(opcua_site: Site) -> None:
    for person, may in (("otto", False), ("emma", True)):
        async with opcua_site.connected(person) as client:
            assert await node(client, f"{UPLOAD}.UserWritable").read_value() is may
            assert await node(client, f"{UPLOAD}.Writable").read_value() is True
            assert await node(client, f"{RECEIPT}.UserWritable").read_value() is False


@pytest.mark.parametrize("given", [(u32(1), i32(-1)), (u32(1), u32(1)), (u32(1),), (i32(1), i32(1)), (u32(1), i32(1), i32(1))])
async def test_arguments_of_another_kind_are_refused(opcua_site: Site, given: tuple) -> None:
    async with opcua_site.connected("emma") as client:
        assert (await refused(call(client, f"{RECEIPT}.Read", *given))).startswith(
            ("BadInvalidArgument", "BadArgumentsMissing", "BadTooMany")
        )
