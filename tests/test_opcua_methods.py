"""Recipes and batches over OPC UA: from the upload over a second person's approval to a started batch; roles as published."""

import asyncio
import json
import sqlite3
import time
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from controller.northbound.library import Status
from controller.northbound.opcua import access
from controller.northbound.opcua.access import METHOD_ROLES, PARTS
from controller.roles import Role
from tests.opcua_rig import PEOPLE, RECIPE, Site, call, node, u32, until

LOAD = (
    ua.Variant(["SR-0001"], ua.VariantType.String),
    "PAI-TRIAL",
    "NMP",
    110.0,
    18.0,
    1.0,
    20.0,
    0.5,
    18.0,
    20.0,
    100.0,
    150.0,
    "PI tape",
)
NO_TEXTS, NO_NUMBERS = ua.Variant([], ua.VariantType.String, is_array=True), ua.Variant([], ua.VariantType.Double, is_array=True)
NO_FORMULA = (NO_TEXTS, NO_NUMBERS)
PERSON_OF = {role: name for name, role in PEOPLE.items()}


def recipe(name: str, revision: int = 1) -> str:
    """Return the trial recipe under another id."""
    id_ = next(line for line in RECIPE.splitlines() if line.startswith("id ="))
    number = next(line for line in RECIPE.splitlines() if line.startswith("revision ="))
    return RECIPE.replace(id_, f'id = "{name}"').replace(number, f"revision = {revision}")


async def test_a_recipe_goes_from_upload_to_a_started_batch_and_only_approved_by_another(opcua_site: Site) -> None:
    text = recipe("way-in", 3)
    async with opcua_site.connected("emma") as emma, opcua_site.connected("erik") as erik, opcua_site.connected("otto") as otto:
        id_, revision, sha256, verdict, receipt = await call(emma, "Recipes.Upload", "way-in.toml", text)
        assert (id_, revision, len(sha256), verdict in ("READY", "DOUBTFUL")) == ("way-in", 3, 64, True)
        assert json.loads(receipt)["dry_run"]["recipe_sha256"] == sha256
        assert (await call(otto, "Recipes.Download", id_, u32(3))) == [True, text]

        refused = await call(otto, "Batch.Start", id_, u32(3), *LOAD, *NO_FORMULA)
        assert refused[:2] == [False, "way-in/3 is draft; only an approved recipe can be started"]
        assert (await call(emma, "Recipes.Approve", id_, u32(3), ""))[0] is False
        assert (await call(emma, "Recipes.Submit", id_, u32(3), "please"))[0] is True
        assert (await call(emma, "Recipes.Approve", id_, u32(3), ""))[1] == "way-in/3 was written by emma; another user approves it"
        assert (await call(erik, "Recipes.Approve", id_, u32(3), "looked at it")) == [True, "way-in/3 is approved"]
        assert (await call(emma, "Recipes.Remove", id_, u32(3), ""))[0] is False

        listed = {(one["recipe"], one["revision"]): one for one in json.loads((await call(otto, "Recipes.List"))[0])}
        assert [listed["way-in", 3][key] for key in ("status", "author", "approver", "sha256")] == ["approved", "emma", "erik", sha256]

        accepted, answer, command = await call(otto, "Batch.Start", id_, u32(3), *LOAD, *NO_FORMULA)
        assert (accepted, bool(command)) == (True, True), answer
        await until(lambda: says(otto, "Unit.State", "RUNNING"))
        await until(lambda: says(otto, "Unit.Recipe", "way-in/3"))
        assert await node(otto, "Unit.RecipeSha256").read_value() == sha256
        assert await node(otto, "Unit.StartedBy").read_value() == "otto"
        assert await node(otto, "Unit.RollIds").read_value() == ["SR-0001"]

        before = await node(otto, "Unit.RecipeSha256").read_value()  # an upload while a batch runs changes nothing
        assert (await call(emma, "Recipes.Upload", "x", recipe("way-in", 4)))[1] == 4
        assert await node(otto, "Unit.RecipeSha256").read_value() == before

        batch = int(await node(otto, "Unit.BatchId").read_value())
        lab = (u32(batch), "SR-0001", "insoluble_pct", 99.5, 2.0, "NMP, 2 h, 60 degC", "coupon 1")
        accepted, answer, _ = await call(otto, "Batch.EnterLabResult", *lab)
        assert accepted
        assert "OUTSIDE" in answer
        assert "batch has" not in (await call(otto, "Batch.EnterLabResult", u32(batch), "OTHER", *lab[2:]))[1]
        assert (await call(otto, "Batch.EnterLabResult", u32(batch), "OTHER", *lab[2:]))[0] is False

        accepted, answer, _ = await call(otto, "Batch.Hold", "look", "HELD")
        assert (accepted, "expected HELD" in answer) == (False, True)
        assert (await call(otto, "Batch.Hold", "look", "RUNNING"))[0] is True
        assert (await call(otto, "Batch.Abort", "enough", ""))[0] is True
        await until(lambda: says(otto, "Unit.State", "ABORTED", "ABORTING"))
        library = opcua_site.folder / "recipes.sqlite"
        copy = library.read_bytes()
        assert (await call(erik, "Recipes.Retire", id_, u32(3), "old"))[0] is True
        assert "retired" in (await call(otto, "Batch.Start", id_, u32(3), *LOAD, *NO_FORMULA))[1]
        newest = library.read_bytes()
        library.write_bytes(copy)  # restored from a copy, or in somebody's hands: the core has a list of its own
        opcua_site.oven.change(lambda rig: setattr(rig, "memory", rig.memory._replace(unit=type(rig.memory.unit)())))
        await until(lambda: says(otto, "Unit.State", "IDLE"))
        accepted, answer, _ = await call(otto, "Batch.Start", id_, u32(3), *LOAD, *NO_FORMULA)
        assert (accepted, "was retired here" in answer) == (False, True), answer
        library.write_bytes(newest)


async def test_the_core_is_told_what_a_library_has_retired_before(opcua_site: Site) -> None:
    oven, server = opcua_site.oven, opcua_site.server
    opcua_site.server.library._slow_down = lambda user: None
    opcua_site.server.library.upload("x", recipe("long-gone"), "emma")
    for to, who in ((Status.SUBMITTED, "emma"), (Status.APPROVED, "erik"), (Status.RETIRED, "erik")):
        server.library.move("long-gone", 1, to, who)  # by a release that did not ask the core
    await until(lambda: server._seq > 0)
    listed = [one for one in server.library.listed() if one.recipe == "long-gone"]
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(server._tell_retired(listed), opcua_site._loop))
    await until(lambda: ("long-gone", 1) in oven.rig.memory.retired)
    await until(lambda: ("long-gone", 1) in server._retired)
    told = [content["user"] for _, kind, content in oven.rig.notes if kind == "decision" and content.get("recipe") == "long-gone"]
    assert told == ["gateway"]


async def says(client, name: str, *wanted: str) -> bool:
    return str((await node(client, name).read_data_value(raise_on_bad_status=False)).Value.Value) in wanted


TRAPS = {
    "truncated": RECIPE[: len(RECIPE) // 2],
    "NaN": RECIPE.replace("= 15.0", "= nan", 1) if "= 15.0" in RECIPE else RECIPE.replace("revision = ", "revision = nan #"),
    "infinity": recipe("inf").replace("max_residual_wt_pct =", "max_residual_wt_pct = inf #", 1),
    "duplicate keys": recipe("twice") + '\n[material]\npolymer = "PAI"\n',
    "unknown key": 'colour = "green"\n' + recipe("unknown"),
    "wrong type": recipe("typed").replace("revision = 1", 'revision = "1"'),
    "10^5 brackets": "a = " + "[" * 100_000,
    "many phases": recipe("many") + '\n[[phase]]\nkind = "PAUSE"\n' * 8000,
    "empty": "",
    "control characters": "\x00\x01\x02",
    "no TOML": '{"id": "json"}',
}


@pytest.mark.parametrize("trap", TRAPS)
async def test_what_is_no_recipe_is_refused_within_a_second_with_the_reason_and_kept(opcua_site: Site, trap: str) -> None:
    async with opcua_site.connected("emma") as client:
        began_s = time.perf_counter()
        id_, revision, sha256, verdict, receipt = await call(client, "Recipes.Upload", f"{trap}.toml", TRAPS[trap])
        assert time.perf_counter() - began_s < 1.5  # a second, and the machine's other work
        assert (id_, revision, sha256, verdict) == ("", 0, "", "REFUSED"), trap
        said = json.loads(receipt)
        assert said["problems"], said
    assert any(name == f"{trap}.toml" and user == "emma" for name, user, _ in opcua_site.server.library.evidence())
    opcua_site.server.library._slow_down = lambda user: None  # many uploads of one person in these tests


async def test_an_old_revision_cannot_be_replayed_and_a_repeated_upload_changes_nothing(opcua_site: Site) -> None:
    opcua_site.server.library._slow_down = lambda user: None
    async with opcua_site.connected("emma") as client:
        first = await call(client, "Recipes.Upload", "r", recipe("replay", 5))
        assert (await call(client, "Recipes.Upload", "r", recipe("replay", 5)))[2] == first[2]
        replayed = await call(client, "Recipes.Upload", "r", recipe("replay", 4))
        assert (replayed[3], "a new one must be above" in replayed[4]) == ("REFUSED", True)
        changed = recipe("replay", 5).replace('title = "', 'title = "x', 1)
        assert (await call(client, "Recipes.Upload", "r", changed))[3] == "REFUSED"
        assert (await call(client, "Recipes.Remove", "replay", u32(5), "wrong"))[0] is True
        assert (await call(client, "Recipes.Upload", "r", recipe("replay", 5)))[3] == "REFUSED"  # its number is spent
        assert (await call(client, "Recipes.Download", "replay", u32(5)))[0] is True  # and it is not lost


@pytest.mark.parametrize("column", ["text", "sha256", "signature"])
async def test_what_was_changed_after_approval_is_not_started(opcua_site: Site, column: str) -> None:
    opcua_site.server.library._slow_down = lambda user: None
    name = f"tampered-{column}"
    async with opcua_site.connected("emma") as emma, opcua_site.connected("erik") as erik, opcua_site.connected("otto") as otto:
        await call(emma, "Recipes.Upload", "r", recipe(name))
        await call(emma, "Recipes.Submit", name, u32(1), "")
        assert (await call(erik, "Recipes.Approve", name, u32(1), ""))[0] is True
        tamper(opcua_site.folder / "recipes.sqlite", name, column)
        accepted, answer, command = await call(otto, "Batch.Start", name, u32(1), *LOAD, *NO_FORMULA)
        assert (accepted, command) == (False, "")
        assert "changed after approval" in answer or "does not verify" in answer


def tamper(path: Path, name: str, column: str) -> None:
    """Do what the library never does: somebody at the disk takes the triggers away."""
    store = sqlite3.connect(path)
    store.executescript("DROP TRIGGER IF EXISTS revision_stays; DROP TRIGGER IF EXISTS step_stays;")
    if column == "text":
        store.execute("UPDATE revision SET text = replace(text, 'persist_min', 'persist_min') || char(10) WHERE recipe = ?", (name,))
        store.execute("UPDATE revision SET text = replace(text, 'title = \"', 'title = \"y') WHERE recipe = ?", (name,))
    elif column == "sha256":
        store.execute("UPDATE revision SET sha256 = ? WHERE recipe = ?", ("0" * 64, name))
    else:
        store.execute("UPDATE step SET user = 'emma' WHERE recipe = ? AND step = 'approved'", (name,))
    store.commit()
    store.close()


def test_the_store_itself_refuses_to_forget(opcua_site: Site) -> None:
    opcua_site.server.library.listed()
    store = sqlite3.connect(opcua_site.folder / "recipes.sqlite")
    try:
        for statement in ("DELETE FROM revision", "DELETE FROM step", "DELETE FROM refused"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                store.execute(statement)
    finally:
        store.close()


async def test_the_published_key_verifies_approvals(opcua_site: Site) -> None:
    async with opcua_site.connected("otto") as client:
        key = bytes.fromhex(await node(client, "Recipes.PublicKey").read_value())
    Ed25519PublicKey.from_public_bytes(key)
    assert key == opcua_site.server.library.public_key


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_calls_reads_browses_and_subscribes_to_exactly_what_is_published(opcua_site: Site, role: Role) -> None:
    server = opcua_site.server
    async with opcua_site.connected(PERSON_OF[role.name.lower()]) as client:
        for method, least in METHOD_ROLES.items():
            if method.startswith("Condition."):
                continue
            code = await outcome(client, method)
            assert (code == "BadUserAccessDenied") == (role < least), (method, code)
        shown = {one.nodeid.Identifier for one in await client.get_node("ns=2;s=Oven").get_children()}
        assert shown == {f"Oven.{part.name}" for part in PARTS if role >= part.role}
        for part in PARTS:
            variables = access_variables(part.name)[:1]
            for name in variables:
                assert (await readable(client, name)) == (role >= part.role), name
                assert (await monitored(client, name)) == (role >= part.role), name
        assert (await readable_diagnostics(client)) == (role >= access.DIAGNOSTICS)
    denials = server._server.counts.denials
    assert denials > 0 or role is Role.ADMIN


def access_variables(part: str) -> list[str]:
    from controller.northbound.opcua.nodes import VARIABLES

    return [one.id for one in VARIABLES if one.part == part]


async def outcome(client, method: str) -> str:
    """Call with one argument too many: whoever may call is told so, and nothing is done."""
    many = [ua.Variant(0, ua.VariantType.Int16)] * 30
    try:
        await call(client, method, *many)
    except UaStatusCodeError as error:
        return type(error).__name__
    return "Good"


async def readable(client, name: str) -> bool:
    value = await client.get_node(ua.NodeId(name, 2)).read_data_value(raise_on_bad_status=False)
    return value.StatusCode.value != ua.StatusCodes.BadUserAccessDenied


async def readable_diagnostics(client) -> bool:
    found = client.get_node(ua.NodeId(ua.ObjectIds.Server_ServerDiagnostics_EnabledFlag))
    return (await found.read_data_value(raise_on_bad_status=False)).StatusCode.value != ua.StatusCodes.BadUserAccessDenied


class _Nothing:
    def datachange_notification(self, node, value, data) -> None:
        pass


async def monitored(client, name: str) -> bool:
    mine = await client.create_subscription(500, _Nothing())
    try:
        await mine.subscribe_data_change(client.get_node(ua.NodeId(name, 2)))
    except UaStatusCodeError:
        return False
    finally:
        await mine.delete()
    return True


async def test_a_recipe_beyond_every_bound_is_refused_before_it_is_read_and_the_server_goes_on(opcua_site: Site) -> None:
    async with opcua_site.connected("emma") as client:
        *_, verdict, receipt = await call(client, "Recipes.Upload", "long.toml", "#" * 300_000)
        assert (verdict, "at most 256000 characters" in receipt) == ("REFUSED", True)
        assert await node(client, "Unit.State").read_value()
    async with opcua_site.connected("emma") as client:
        with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
            await call(client, "Recipes.Upload", "huge.toml", "#" * 3_000_000)
    async with opcua_site.connected("emma") as client:
        assert await node(client, "Unit.State").read_value()
