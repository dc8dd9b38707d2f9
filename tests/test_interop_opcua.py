"""node-opcua, an OPC UA client that nobody here wrote, at a whole works: soft PLC, core and gateway as processes on loopback.

It does what a site's own supervisory system would: finds the server, gets its certificate trusted, uploads a recipe, has it approved by a
second person, starts a batch, watches it, sees an alarm, acknowledges it, reads the history and aborts.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio

from controller.image import SIGNALS
from controller.northbound.opcua import access, pki
from controller.northbound.opcua.history import PAGE
from controller.northbound.opcua.nodes import BY_ID
from controller.roles import Role
from tests.node import NodeError, node
from tests.node_client import LOAD, U32, Client, oven, recipe, typed
from tests.opcua_rig import PASSWORD, PEOPLE, RECIPE
from tests.works import Works, works

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]
URI = "urn:interop:client"
ENCRYPTED = {"policy": "Basic256Sha256", "mode": "SignAndEncrypt"}
STRONGER = {"policy": "Aes256_Sha256_RsaPss", "mode": "SignAndEncrypt"}
# How each person comes in: every policy and mode that is offered is used by somebody.
WAYS = {"emma": ENCRYPTED, "otto": STRONGER, "erik": {**ENCRYPTED, "mode": "Sign"}, "vera": {**STRONGER, "mode": "Sign"}}
FIELDS = ["EventId", "EventType", "SourceNode", "SourceName", "Time", "Message", "Severity", "ConditionId", "ConditionName", "BranchId",
          "Retain", "AckedState.Id", "ActiveState.Id", "EnabledState.Id", "Comment", "ClientUserId", "Quality"]  # fmt: skip
ALARM, ALARM_TYPE = "I27W", "ns=0;i=2915"  # the PLC's image is stale
REFRESH_START, REFRESH_END = "ns=0;i=2787", "ns=0;i=2788"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory):
    from tests.node import program

    program()  # skips before anything is started
    async with works(tmp_path_factory.mktemp("works")) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strange(site):
    """The client whose certificate nobody has looked at yet; it trusts the server's."""
    async with node("client.mjs", site.folder, str(site.folder / "client"), URI) as one:
        offered = await one.ask("endpoints", url=site.url)
        await one.ask("trust", certificate=offered[0]["certificate"]["bytes"])
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refused(site, strange):
    """What a client hears before it is trusted."""
    with pytest.raises(NodeError) as error:
        await Client(strange, site).come("emma", **ENCRYPTED)
    return str(error.value)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(site, strange, refused):
    """The client with everybody's session, after its certificate was trusted by its thumbprint, without a restart of the server."""
    pki.trust(site.store, strange.hello["thumbprint"])
    one = Client(strange, site)
    for person, way in WAYS.items():
        await one.come(person, **way)
    return one


async def test_what_is_offered_is_signed_or_encrypted_and_nothing_else(site, strange):
    offered = await strange.ask("endpoints", url=site.url)
    assert {(one["policy"], one["mode"]) for one in offered} == {(way["policy"], way["mode"]) for way in WAYS.values()}
    assert all(set(one["tokens"]) == {"UserName", "Certificate"} for one in offered)
    best = max(offered, key=lambda one: one["level"])
    assert (best["policy"], best["mode"]) == ("Aes256_Sha256_RsaPss", "SignAndEncrypt")
    assert all(one["url"] == site.url for one in offered)


async def test_a_client_whose_certificate_nobody_has_trusted_gets_no_session(refused):
    assert "BadCertificateUntrusted" in refused


async def test_everybody_has_a_session_by_the_policy_that_he_asked_for(client):
    for person in WAYS:
        assert await client.value(person, "Unit.State") == "IDLE"


@pytest.mark.parametrize(
    ("person", "password", "way", "why"),
    [
        ("emma", "not her password", ENCRYPTED, "BadUserAccessDenied"),
        ("nobody", PASSWORD, ENCRYPTED, "BadUserAccessDenied"),
        ("emma", PASSWORD, {"policy": "None", "mode": "None"}, "BadSecurityModeRejected"),
        ("", "", ENCRYPTED, "Cannot find ANONYMOUS user token policy"),
    ],
)
async def test_who_is_not_known_or_not_protected_gets_no_session(client, person, password, way, why):
    with pytest.raises(NodeError, match=why):
        await client.come(person, session="stranger", password=password, **way)


async def test_browsing_shows_each_role_its_parts_and_every_signal_with_range_and_unit(client):
    for person in WAYS:
        shown = await client.ask(person, "browse", node="ns=2;s=Oven")
        role = Role[PEOPLE[person].upper()]
        assert {one["node"].removeprefix("ns=2;s=Oven.") for one in shown["references"]} == {
            part.name for part in access.PARTS if role >= part.role
        }
    shown = (await client.ask("vera", "browse", node=oven("Process")))["references"]
    assert {one["name"].removeprefix("2:") for one in shown} == set(SIGNALS)
    analog = [one["node"] for one in shown if one["type"] == "ns=0;i=2368"]
    ranges = await client.ask("vera", "read", nodes=[f"{one}.EURange" for one in analog])
    units = await client.ask("vera", "read", nodes=[f"{one}.EngineeringUnits" for one in analog])
    for one, span, unit in zip(analog, ranges, units, strict=True):
        tag = BY_ID[one.removeprefix("ns=2;s=")]
        assert (span["value"]["low"], span["value"]["high"], unit["value"]["displayName"]["text"]) == (tag.low, tag.high, tag.unit)


async def test_a_client_that_wants_few_references_at_once_gets_the_rest_by_continuation_points(client):
    whole = [one["node"] for one in (await client.ask("vera", "browse", node=oven("Process")))["references"]]
    found = await client.ask("vera", "pages", node=oven("Process"), most=20, left=0)
    assert found["status"] == "Good"
    assert [len(page) for page in found["pages"][:-1]] == [20] * (len(found["pages"]) - 1)
    assert [one for page in found["pages"] for one in page] == whole
    released = await client.ask("vera", "pages", node=oven("Process"), most=20, left=2)
    assert (released["status"], len(released["pages"])) == ("BadContinuationPointInvalid", 2)


async def test_a_path_from_the_standard_leads_to_a_signals_range(client):
    found = await client.ask("vera", "translate", node="i=85", path="/2:Oven/2:Process/2:load_core_c.0:EURange")
    assert found == {"status": "Good", "targets": [oven("Process.load_core_c.EURange")]}


CAPABILITIES = {
    "i=2735": "MaxBrowseContinuationPoints", "i=2736": "MaxQueryContinuationPoints", "i=2737": "MaxHistoryContinuationPoints",
    "i=11702": "MaxArrayLength", "i=11703": "MaxStringLength", "i=12911": "MaxByteStringLength", "i=2272": "MinSupportedSampleRate",
    "i=11705": "MaxNodesPerRead", "i=12165": "MaxNodesPerHistoryReadData", "i=11707": "MaxNodesPerWrite",
    "i=11709": "MaxNodesPerMethodCall", "i=11710": "MaxNodesPerBrowse", "i=11712": "MaxNodesPerTranslateBrowsePathsToNodeIds",
    "i=11714": "MaxMonitoredItemsPerCall", "i=2269": "ServerProfileArray", "i=2271": "LocaleIdArray",
    "i=11193": "AccessHistoryDataCapability", "i=11242": "AccessHistoryEventsCapability", "i=11273": "MaxReturnDataValues",
    "i=11196": "InsertDataCapability", "i=11200": "DeleteAtTimeCapability",
}  # fmt: skip


async def test_the_server_says_what_it_can_and_how_much_of_it(client):
    found = dict(zip(CAPABILITIES, await client.ask("vera", "read", nodes=list(CAPABILITIES)), strict=True))
    assert not [CAPABILITIES[one] for one, said in found.items() if said["value"] is None]
    assert found["i=11273"]["value"] == PAGE
    assert (found["i=11193"]["value"], found["i=11196"]["value"]) == (True, False)
    for folder in ("i=2997", "i=11201"):  # of ServerCapabilities and of HistoryServerCapabilities
        offered = {one["name"] for one in (await client.ask("vera", "browse", node=folder))["references"]}
        assert offered == {"Interpolative", "Minimum", "Maximum", "Average", "Count", "Start", "End"}


async def test_nothing_can_be_written(client):
    for person in WAYS:
        assert await client.ask(person, "write", node=oven("Unit.State"), value=typed("RUNNING")) == "BadUserAccessDenied"


async def test_a_method_tells_what_it_takes_and_refuses_the_rest(client):
    told = await client.ask("emma", "definition", method=oven("Recipes.Upload"))
    assert [(one["name"], one["type"]) for one in told["inputs"]] == [("Name", "ns=0;i=12"), ("Content", "ns=0;i=12")]
    assert [one["name"] for one in told["outputs"]] == ["RecipeId", "Revision", "Sha256", "Verdict", "Receipt"]
    assert (await client.call("emma", "Recipes.Upload", "x"))["status"] == "BadArgumentsMissing"
    wrong = await client.call("emma", "Recipes.Upload", "x", 1.0)
    assert (wrong["status"], wrong["arguments"]) == ("BadInvalidArgument", ["Good", "BadTypeMismatch"])


async def test_a_viewer_calls_nothing(client):
    for method, args in (("Batch.Abort", ("", "")), ("Recipes.Upload", ("x", RECIPE)), ("Alarms.Acknowledge", ("", ""))):
        assert (await client.call("vera", method, *args))["status"] == "BadUserAccessDenied", method


async def written(client: Client, person: str, content: bytes, piece: int = 700) -> dict[str, Any]:
    """Upload as a file, and return what the receipt says."""
    await client.ask(person, "put", node=oven("Recipes.UploadFile"), text=base64.b64encode(content).decode(), piece=piece)
    return await receipt(client, person)


async def receipt(client: Client, person: str) -> dict[str, Any]:
    found = await client.ask(person, "get", node=oven("Recipes.ReceiptFile"), piece=1000)
    content = base64.b64decode(found["content"])
    assert (found["size"], found["pieces"]) == ([0, len(content)], -(-len(content) // 1000))
    said: dict[str, Any] = json.loads(content)
    return said


async def test_a_file_becomes_the_same_draft_with_the_same_receipt_as_the_method_gives(client):
    by_file = await written(client, "emma", recipe("by-file").encode())
    id_, revision, sha256, verdict, said = await client.done("erik", "Recipes.Upload", "x", recipe("by-method"))
    assert (by_file["recipe"], by_file["revision"], by_file["verdict"]) == ("by-file", revision, verdict)
    assert by_file["sha256"] != sha256  # the id is part of what is hashed
    mine, its = by_file["receipt"], json.loads(said)
    assert mine["dry_run"].pop("recipe_sha256") == by_file["sha256"]
    assert (its["dry_run"].pop("recipe_sha256"), id_) == (sha256, "by-method")
    assert mine["dry_run"].pop("recipe") != its["dry_run"].pop("recipe")
    assert mine == its
    listed = {one["recipe"]: one for one in json.loads((await client.done("otto", "Recipes.List"))[0])}
    assert [listed["by-file"][key] for key in ("status", "author", "sha256")] == ["draft", "emma", by_file["sha256"]]


async def test_a_file_that_is_no_recipe_is_refused_and_the_receipt_says_why(client):
    for content, why in (
        (b"\xff\xfe\x00", "UTF-8"),
        (b"id = [", "TOML"),
        (recipe("nan").replace("= 30.0", "= nan").encode(), "max_length_m"),
    ):
        with pytest.raises(NodeError, match="BadConfigurationError"):
            await written(client, "emma", content)
        said = await receipt(client, "emma")
        assert (said["verdict"], said["receipt"]["verdict"]) == ("REFUSED", "REFUSED")
        assert why in json.dumps(said["receipt"]["problems"]), said


async def test_a_file_is_downloaded_as_it_was_uploaded_by_the_standards_transfer(client):
    await written(client, "erik", recipe("to-fetch").encode())
    file, handle, _ = await client.done("otto", "Recipes.Transfer.GenerateFileForRead", "to-fetch/1")
    pieces = []
    while piece := base64.b64decode(((await client.done("otto", f"{named(file)}.Read", U32(handle), 999))[0] or {"bytes": ""})["bytes"]):
        pieces.append(piece)
    assert await client.done("otto", f"{named(file)}.Close", U32(handle)) == []
    assert b"".join(pieces).decode() == recipe("to-fetch")


def named(node_id: str) -> str:
    return node_id.removeprefix("ns=2;s=Oven.")


async def test_only_who_may_upload_opens_the_file_for_writing(client):
    with pytest.raises(NodeError, match="BadUserAccessDenied"):
        await written(client, "otto", RECIPE.encode())
    with pytest.raises(NodeError, match="does not expose mandatory Open"):  # the library is not shown to a viewer at all
        await written(client, "vera", RECIPE.encode())


async def test_a_batch_from_the_upload_to_the_abort(client, site):
    name, revision = "interop", U32(3)
    id_, number, sha256, verdict, said = await client.done("emma", "Recipes.Upload", "interop.toml", recipe(name, 3))
    assert (id_, number, verdict in ("READY", "DOUBTFUL")) == (name, 3, True)
    assert json.loads(said)["dry_run"]["recipe_sha256"] == sha256
    start = (name, revision, *LOAD)
    assert (await client.done("otto", "Batch.Start", *start))[:2] == [False, "interop/3 is draft; only an approved recipe can be started"]
    assert await client.done("emma", "Recipes.Submit", name, revision, "please") == [True, "interop/3 is submitted"]
    assert await client.done("emma", "Recipes.Approve", name, revision, "") == [
        False,
        "interop/3 was written by emma; another user approves it",
    ]
    assert await client.done("erik", "Recipes.Approve", name, revision, "looked at it") == [True, "interop/3 is approved"]
    await site.prove()

    await client.ask("otto", "subscribe", subscription="batch", interval=100)
    assert (
        await client.ask("otto", "monitor", subscription="batch", nodes=[oven("Unit.State"), oven("Process.pressure_cap_mbar")])
        == ["Good"] * 2
    )
    assert (await client.ask("otto", "events", subscription="batch", type="AlarmConditionType", fields=FIELDS))["status"] == "Good"
    began = whole_ms(datetime.now(UTC))
    accepted, answer, _ = await client.done("otto", "Batch.Start", *start)
    assert accepted, answer
    await site.until(lambda: changed(client, "Unit.State", "RUNNING"))
    assert await client.value("otto", "Unit.RecipeSha256") == sha256
    start_pressure = await client.value("otto", "Process.pressure_cap_mbar")
    await site.until(lambda: fallen(client, start_pressure))  # the leak test pumps

    await see_and_acknowledge(client, site)
    await read_history(client, site, began)
    accepted, answer, _ = await client.done("otto", "Batch.Abort", "enough", "")
    assert accepted, answer
    await site.until(lambda: changed(client, "Unit.State", "ABORTED", "ABORTING"))
    end = site.last("batch_start").fields()
    assert (end["recipe_id"], end["revision"], end["user"]) == (name, 3, "otto")
    await client.ask("otto", "unsubscribe", subscription="batch")


def whole_ms(time: datetime) -> datetime:
    """JavaScript's times have no more."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


async def changed(client: Client, name: str, *wanted: str) -> bool:
    changes = (await client.ask("otto", "collected", subscription="batch"))["changes"]
    return any(one["node"] == oven(name) and one["value"] in wanted for one in changes)


async def fallen(client: Client, before: float) -> bool:
    changes = (await client.ask("otto", "collected", subscription="batch"))["changes"]
    seen = [one for one in changes if one["node"] == oven("Process.pressure_cap_mbar")]
    assert all(early["source"] <= late["source"] for early, late in pairwise(seen))
    return any(one["status"] == "Good" and one["value"] < 0.7 * before for one in seen)


async def see_and_acknowledge(client: Client, site: Works) -> None:
    """The PLC stands still: its alarm comes, is refreshed, commented on, acknowledged, and goes when the PLC is back."""
    site.freeze("plc")
    raised = await client.event("otto", "batch", ConditionName=ALARM, ActiveState_Id=True)
    seen = len(await client.events("otto", "batch"))
    site.thaw("plc")
    await client.event("otto", "batch", seen, ConditionName=ALARM, ActiveState_Id=False, AckedState_Id=False)
    assert (raised["EventType"], raised["SourceNode"], raised["ConditionId"]) == (ALARM_TYPE, "ns=2;s=Oven", oven(f"Alarms.{ALARM}"))
    assert (raised["AckedState.Id"], raised["Retain"], raised["EnabledState.Id"], raised["BranchId"]) == (False, True, True, "ns=0;i=0")
    assert not [one for one in await client.events("otto", "batch") if one["EventType"] not in (ALARM_TYPE, REFRESH_START, REFRESH_END)]

    seen = len(await client.events("otto", "batch"))
    assert await client.ask("otto", "refresh", subscription="batch") == "Good"
    await client.event("otto", "batch", seen, EventType=REFRESH_END)
    refreshed = (await client.events("otto", "batch"))[seen:]
    assert refreshed[0]["EventType"] == REFRESH_START
    again = next(one for one in refreshed if one["ConditionName"] == ALARM)
    assert [again[key] for key in ("ConditionId", "AckedState.Id", "Retain", "Severity")] == [
        raised["ConditionId"],
        False,
        True,
        raised["Severity"],
    ]

    node, event = raised["ConditionId"], again["EventId"]["bytes"]
    assert await client.ask("vera", "acknowledge", node=node, event=event, comment="me too") == "BadUserAccessDenied"
    assert (
        await client.ask("otto", "acknowledge", node=node, event=base64.b64encode(b"never sent").decode(), comment="")
        == "BadEventIdUnknown"
    )
    assert await client.ask("otto", "comment", node=node, event=event, comment="switch is being looked at") == "Good"
    await client.event("otto", "batch", seen, ConditionName=ALARM, Comment="switch is being looked at")
    assert await client.ask("otto", "acknowledge", node=node, event=event, comment="seen") == "Good"
    acked = await client.event("otto", "batch", seen, ConditionName=ALARM, AckedState_Id=True)
    assert (acked["ClientUserId"], acked["Comment"]) == ("otto", "seen")  # suppression in between acknowledges nothing
    await client.event("otto", "batch", seen, ConditionName=ALARM, Retain=False)


async def read_history(client: Client, site: Works, began: datetime) -> None:
    """Raw pages join; what node-opcua's aggregates say follows from them."""
    asked = {"node": oven("Process.pressure_cap_mbar"), "start": began.isoformat()}
    end = whole_ms(datetime.now(UTC))
    whole, point = [], None
    for _ in range(100):
        page = await client.ask("vera", "history", **asked, end=end.isoformat(), most=25, point=point)
        assert page["status"] == "Good"
        whole += page["values"]
        point = page["point"]
        if point is None:
            break
    assert len(whole) > 25
    assert all(early["source"] < late["source"] for early, late in pairwise(whole))
    good = [one["value"] for one in whole if one["status"] == "Good"]
    step = (end - began) // timedelta(milliseconds=1)
    for kind, expected in (("Minimum", min(good)), ("Maximum", max(good)), ("Average", sum(good) / len(good)), ("Count", len(good))):
        found = await client.ask("vera", "aggregate", **asked, end=end.isoformat(), step=step, kind=kind)
        assert found["status"] == "Good"
        assert [one["value"] for one in found["values"]] == [pytest.approx(expected, rel=1e-9)], kind
    forged = base64.b64encode(b"x" * 41).decode()
    page = await client.ask("vera", "history", **asked, end=end.isoformat(), most=25, point={"bytes": forged})
    assert page["status"] == "BadContinuationPointInvalid"
    page = await client.ask("vera", "history", node=oven("Unit.Phase"), start=began.isoformat(), end=end.isoformat(), most=25, point=None)
    assert page["status"] == "BadHistoryOperationUnsupported"


async def test_an_alarm_is_shelved_and_taken_back_by_the_standards_methods(client):
    timed, back, alarm = "i=2949", "i=2947", oven(f"Alarms.{ALARM}")
    await client.ask("otto", "subscribe", subscription="shelf", interval=100)
    shelf = ["ConditionName", "ShelvingState.CurrentState", "ShelvingState.CurrentState.Id", "SuppressedOrShelved", "ClientUserId"]
    await client.ask("otto", "events", subscription="shelf", type="AlarmConditionType", fields=shelf)

    async def called(person: str, method: str, *args: Any) -> str:
        return (await client.ask(person, "call", object=alarm, method=method, args=[typed(one) for one in args]))["status"]

    assert await called("vera", timed, 60_000.0) == "BadUserAccessDenied"
    assert await called("otto", timed, -1.0) == "BadShelvingTimeOutOfRange"
    assert await called("otto", timed, 60_000.0) == "Good"
    put = await client.event("otto", "shelf", ConditionName=ALARM, ShelvingState_CurrentState="TimedShelved")
    assert [put[name] for name in shelf[2:]] == ["ns=0;i=2932", True, "otto"]
    seen = len(await client.events("otto", "shelf"))
    assert await called("otto", back) == "Good"
    taken = await client.event("otto", "shelf", seen, ConditionName=ALARM, ShelvingState_CurrentState="Unshelved")
    assert [taken[name] for name in shelf[2:4]] == ["ns=0;i=2930", False]
    await client.ask("otto", "unsubscribe", subscription="shelf")


async def test_node_opcuas_own_alarm_list_finds_the_standing_alarms_and_their_types(client, site):
    await client.ask("erik", "alarms")  # subscribes and refreshes
    site.freeze("plc")
    try:
        found = await site.until(lambda: standing(client))
    finally:
        site.thaw("plc")
    assert (found["node"], found["type"], found["retain"]) == (oven(f"Alarms.{ALARM}"), ALARM_TYPE, True)
    assert found["fields"]["sourceName"] == "Oven"


async def standing(client: Client) -> dict[str, Any] | None:
    return next((one for one in await client.ask("erik", "alarms") if one["fields"]["conditionName"] == ALARM), None)
