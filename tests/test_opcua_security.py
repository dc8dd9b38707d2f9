"""Closed by default: every way in that the library leaves open is tried here and refused."""

import asyncio
import struct
import time
from contextlib import suppress

import pytest
from asyncua import Client, ua
from asyncua.common.utils import create_nonce
from asyncua.crypto.uacrypto import load_certificate, load_private_key
from asyncua.ua.uaerrors import UaStatusCodeError

from controller.northbound.opcua import pki, prescan, users
from controller.northbound.opcua.protocol import FRAME_BYTES
from controller.roles import Role
from tests.opcua_rig import CHEAP, PASSWORD, Site, call, node, u32, until

HELLO = b"HELF" + struct.pack("<IIIIII", 8 + 24 + 20, 0, 65535, 65535, 0, 0) + struct.pack("<i", 20) + b"opc.tcp://localhost/"


def refused(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


async def login(site: Site, *args, **given) -> str:
    try:
        async with site.connected(*args, **given):
            return "in"
    except (UaStatusCodeError, ConnectionError, ua.UaError, TimeoutError) as error:
        return refused(error)


async def test_the_policy_none_is_for_discovery_only(opcua_site: Site) -> None:
    endpoints = await Client(opcua_site.url).connect_and_get_server_endpoints()
    assert {one.SecurityPolicyUri.rsplit("#", 1)[1] for one in endpoints} == {"Basic256Sha256", "Aes256_Sha256_RsaPss"}
    plain = Client(opcua_site.url, timeout=5)
    plain.set_user("adam")
    plain.set_password(PASSWORD)
    with pytest.raises((ua.UaError, ConnectionError)) as found:
        await plain.connect()
    assert refused(found.value) in ("BadSecurityModeRejected", "ConnectionError")


async def test_an_unknown_certificate_lands_among_the_rejected_and_comes_in_once_a_person_trusts_it(opcua_site: Site) -> None:
    assert await login(opcua_site, "vera", app=1) == "BadCertificateUntrusted"
    shown = pki.thumbprint(opcua_site.apps[1][0].read_bytes())
    assert (opcua_site.store.rejected / f"{shown}.der").is_file()
    pki.trust(opcua_site.store, shown)
    assert await login(opcua_site, "vera", app=1) == "in"
    pki.distrust(opcua_site.store, shown)
    assert await login(opcua_site, "vera", app=1) == "BadCertificateUntrusted"


@pytest.mark.parametrize("claimed", [b"", b"stolen"])
async def test_the_certificate_of_the_session_must_be_the_channels(opcua_site: Site, claimed: bytes) -> None:
    pki.trust(opcua_site.store, str(opcua_site.apps[1][0]))
    client = await opcua_site.client("vera", app=1)
    shown = pki.thumbprint(opcua_site.apps[1][0].read_bytes())
    await client.connect_socket()
    await client.send_hello()
    await client.open_secure_channel()
    params = ua.CreateSessionParameters()
    params.ClientNonce = create_nonce(32)
    params.ClientCertificate = opcua_site.apps[0][0].read_bytes() if claimed else b""  # app0's is trusted, and public
    params.ClientDescription.ApplicationUri = "urn:app0"
    params.RequestedSessionTimeout = 60_000.0
    with pytest.raises(ua.UaError) as found:
        await client.uaclient.create_session(params)
    assert refused(found.value) in ("BadSecurityChecksFailed", "BadCertificateInvalid")
    client.disconnect_socket()
    pki.distrust(opcua_site.store, shown)


async def test_nobody_comes_in_without_a_name_or_with_a_wrong_word(opcua_site: Site) -> None:
    assert await login(opcua_site, None) in ("BadIdentityTokenRejected", "BadIdentityTokenInvalid")
    assert await login(opcua_site, "admin", password="admin") == "BadUserAccessDenied"  # the library's own back door
    assert await login(opcua_site, "emma", password="wrong password") == "BadUserAccessDenied"
    assert await login(opcua_site, "", password=PASSWORD) in ("BadUserAccessDenied", "BadIdentityTokenRejected")
    opcua_site.forgive()


async def test_guessing_is_slowed_down_for_user_and_address_and_even_the_right_word_waits(opcua_site: Site) -> None:
    opcua_site.forgive()
    for _ in range(users.DELAY_FROM):
        assert await login(opcua_site, "otto", password="wrong password") == "BadUserAccessDenied"
    assert list(opcua_site.stretch(300.0).values()) == [users.DELAY_FROM] * 2  # of the user and of the address
    assert await login(opcua_site, "otto") == "BadUserAccessDenied"
    opcua_site.forgive()
    assert await login(opcua_site, "otto") == "in"


def test_a_failure_doubles_the_wait_from_the_third_on_and_success_forgets_it() -> None:
    failures, waits = users.Failures(), []
    for _ in range(6):
        failures.failed(("user a",), 100.0)
        waits.append(failures.wait_s(("user a",), 100.0))
    assert waits == [0.0, 0.0, 1.0, 2.0, 4.0, 8.0]
    failures.passed(("user a",))
    assert failures.wait_s(("user a",), 100.0) == 0.0


async def test_a_person_may_come_in_with_a_certificate_of_their_own_and_nobody_with_anothers(opcua_site: Site) -> None:
    file, own = opcua_site.folder / "users.toml", opcua_site.apps[1]
    accounts = users.read(file)
    shown = pki.thumbprint(own[0].read_bytes())
    users.write(file, {**accounts, "cora": users.Account(role="operator", certificates=(shown,))})
    try:
        for certificate, key, outcome in ((own[0], own[1], "in"), (own[0], opcua_site.apps[0][1], "BadUserAccessDenied")):
            client = await opcua_site.client(None)
            client.user_private_key = await load_private_key(key)
            client.user_certificate = await load_certificate(certificate)
            if outcome == "in":
                async with client:
                    assert (await call(client, "Recipes.List"))[0].startswith("[")  # an operator's right
            else:
                with pytest.raises(UaStatusCodeError) as found:
                    await client.connect()
                assert refused(found.value) == outcome
    finally:
        users.write(file, accounts)
        opcua_site.forgive()


async def test_session_tokens_cannot_be_guessed(opcua_site: Site) -> None:
    tokens = []
    for _ in range(2):
        async with opcua_site.connected("vera") as client:
            tokens.append(client.uaclient.protocol.authentication_token)
    assert all(token.NodeIdType == ua.NodeIdType.ByteString and len(token.Identifier) == 32 for token in tokens)
    assert tokens[0] != tokens[1]


async def test_a_request_with_another_sessions_token_is_no_request_of_this_channel(opcua_site: Site) -> None:
    async with opcua_site.connected("adam") as admin, opcua_site.connected("vera") as viewer:
        viewer.uaclient.protocol.authentication_token = admin.uaclient.protocol.authentication_token
        with pytest.raises(ua.UaError) as found:
            await node(viewer, "Security.Sessions").read_value()
        assert refused(found.value) == "BadSessionIdInvalid"
        viewer.uaclient.protocol.authentication_token = ua.NodeId()


async def test_nobody_sees_or_ends_the_subscription_of_another(opcua_site: Site) -> None:
    async with opcua_site.connected("emma") as engineer, opcua_site.connected("vera") as viewer:
        owned = await engineer.create_subscription(200, Handler())
        assert [code.value for code in await viewer.uaclient.delete_subscriptions([owned.subscription_id])] == [
            ua.StatusCodes.BadSubscriptionIdInvalid
        ]
        params = ua.CreateMonitoredItemsParameters(SubscriptionId=owned.subscription_id)
        with pytest.raises(ua.UaError):
            await viewer.uaclient.create_monitored_items(params)
        assert opcua_site.server._server.subscription_service.subscriptions[owned.subscription_id]
        await owned.delete()


class Handler:
    def __init__(self) -> None:
        self.values: list[object] = []
        self.events: list[object] = []

    def datachange_notification(self, node, value, data) -> None:
        self.values.append(value)

    def event_notification(self, event) -> None:
        self.events.append(event)


async def test_subscriptions_move_only_between_sessions_of_one_person_and_application(opcua_site: Site) -> None:
    async with opcua_site.connected("emma") as engineer, opcua_site.connected("vera") as viewer, opcua_site.connected("emma") as again:
        owned = await engineer.create_subscription(200, Handler())
        params = ua.TransferSubscriptionsParameters(SubscriptionIds=[owned.subscription_id], SendInitialValues=False)
        assert (await viewer.uaclient.transfer_subscriptions(params))[0].StatusCode.name == "BadUserAccessDenied"
        assert (await again.uaclient.transfer_subscriptions(params))[0].StatusCode.is_good()


async def test_what_a_role_may_not_see_it_cannot_browse_read_translate_or_monitor(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        hidden = node(client, "Security.Sessions")
        for tried in (hidden.read_value, lambda: client.nodes.objects.get_child(["2:Oven", "2:Security"])):
            with pytest.raises(ua.UaError) as found:
                await tried()
            assert refused(found.value) == "BadUserAccessDenied"
        assert await node(client, "Security").get_children() == []
        mine = await client.create_subscription(200, Handler())
        with pytest.raises(ua.UaError) as found:
            await mine.subscribe_data_change(hidden)
        assert refused(found.value) == "BadUserAccessDenied"
        asked = ua.ModifyMonitoredItemsParameters(SubscriptionId=mine.subscription_id)
        asked.ItemsToModify = [ua.MonitoredItemModifyRequest(MonitoredItemId=4711)]
        assert (await client.uaclient.modify_monitored_items(asked))[0].StatusCode.name == "BadMonitoredItemIdInvalid"
        await mine.delete()


async def test_nothing_can_be_written_and_no_node_be_made(opcua_site: Site) -> None:
    async with opcua_site.connected("adam") as client:
        with pytest.raises(ua.UaError) as found:
            await node(client, "Unit.State").write_value("RUNNING")
        assert refused(found.value) == "BadUserAccessDenied"
        with pytest.raises(ua.UaError):
            await client.nodes.objects.add_object(2, "Mine")
        assert await node(client, "Unit.State").read_value() != "RUNNING"


async def test_arguments_are_checked_in_number_type_and_range_before_anything_is_done(opcua_site: Site) -> None:
    async with opcua_site.connected("otto") as client:
        for args, code in (
            ((), "BadArgumentsMissing"),
            (("why", "", "more"), "BadTooManyArguments"),
            ((1.5, ""), "BadInvalidArgument"),
            (("x" * 401, ""), "BadInvalidArgument"),
            ((["a", "b"], ""), "BadInvalidArgument"),
            (("why", "NOWHERE"), "BadInvalidArgument"),
        ):
            with pytest.raises(ua.UaError) as found:
                await call(client, "Batch.Hold", *args)
            assert refused(found.value) == code, args
        for number in (float("nan"), float("inf")):
            with pytest.raises(ua.UaError) as found:
                await call(client, "Alarms.Shelve", "I7", number, "why")
            assert refused(found.value) == "BadInvalidArgument"
        with pytest.raises(ua.UaError):  # the method of another object
            await node(client, "Alarms").call_method(node(client, "Batch.Hold"), "why", "")


def packed(count: int, variant: bytes) -> bytes:
    return struct.pack("<i", 1) + b"\x00\x01" + b"\x00\x01" + struct.pack("<i", count) + variant * count


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("<i", 11),
        packed(41, b"\x00"),
        packed(1, b"\x98" + struct.pack("<i", 500_000) + b"\x00" * 500_000),  # an array of Variants
        packed(1, b"\x18" * 100_000),
        packed(1, b"\x8b" + struct.pack("<i", 1_000_000)),
        packed(1, b"\x0c" + struct.pack("<i", 2**31 - 1)),
        packed(1, b"\x16\x00\x00\x00"),  # an ExtensionObject
        b"\x01",
    ],
)
def test_a_call_of_a_form_that_no_method_has_is_refused_before_it_is_decoded(body: bytes) -> None:
    began_s = time.perf_counter()
    with pytest.raises((prescan.Refused, struct.error)):
        prescan.check_call(body)
    assert time.perf_counter() - began_s < 0.05


def test_a_plain_call_passes() -> None:
    prescan.check_call(packed(2, b"\x0c" + struct.pack("<i", 3) + b"abc"))
    prescan.check_call(packed(1, b"\x8c" + struct.pack("<i", 2) + (struct.pack("<i", 1) + b"a") * 2))


async def closes(site: Site, *sent: bytes, within_s: float = 4.0) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    try:
        for one in sent:
            writer.write(one)
        with suppress(ConnectionError):
            await writer.drain()
        async with asyncio.timeout(within_s):
            while await reader.read(65536):
                pass
        return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "sent",
    [
        (b"HELF" + struct.pack("<I", 2**32 - 1), b"x" * 1000),
        (b"HELF" + struct.pack("<I", FRAME_BYTES + 1), b"x" * 1000),
        (b"MSGF" + struct.pack("<I", 0), b"x" * 100),
        (HELLO, b"MSGC" + struct.pack("<I", 2**31)),
        (b"GET / HTTP/1.1\r\n\r\n" * 3,),
    ],
)
async def test_a_frame_that_announces_too_much_ends_its_connection_at_once(opcua_site: Site, sent: tuple[bytes, ...]) -> None:
    began_s = time.perf_counter()
    assert await closes(opcua_site, *sent)
    assert time.perf_counter() - began_s < 1.5  # not by the activation's deadline


def test_frames_are_handed_on_one_by_one_and_nothing_of_a_length_that_does_not_fit() -> None:
    from controller.northbound.opcua.protocol import _frames, _length_fits

    frame = b"MSGF" + struct.pack("<I", 20) + bytes(12)
    assert _frames(frame * 3 + frame[:9]) == ([frame] * 3, frame[:9])
    assert _frames(frame[:7]) == ([], frame[:7])
    found, rest = _frames(frame + b"MSGF" + struct.pack("<I", 2**32 - 1) + frame)
    assert (found, _length_fits(rest)) == ([frame], False)
    for size in (0, 7, FRAME_BYTES + 1):
        assert _length_fits(_frames(b"MSGC" + struct.pack("<I", size))[1]) is False


async def test_frames_that_come_faster_than_they_are_served_end_their_connection(opcua_site: Site) -> None:
    many = b"MSGC" + struct.pack("<I", FRAME_BYTES) + bytes(FRAME_BYTES - 8)
    assert await closes(opcua_site, HELLO, *[many] * 60)
    assert await login(opcua_site, "vera") == "in"


async def test_a_connection_that_never_activates_is_closed(opcua_site: Site) -> None:
    assert await closes(opcua_site, HELLO)


async def test_connections_of_one_address_are_bounded_and_there_is_room_again(opcua_site: Site) -> None:
    open_ = [await asyncio.open_connection("127.0.0.1", opcua_site.port) for _ in range(20)]
    assert len(opcua_site.server._server.asyncio_transports) <= 8
    for _, writer in open_:
        writer.close()
    await until(lambda: not opcua_site.server._server.asyncio_transports)
    assert await login(opcua_site, "vera") == "in"


async def test_an_empty_trust_folder_lets_nobody_in_and_breaks_nothing(opcua_site: Site) -> None:
    away = opcua_site.folder / "away"
    opcua_site.store.trusted.rename(away)
    try:
        assert await login(opcua_site, "vera") == "BadCertificateUntrusted"
    finally:
        away.rename(opcua_site.store.trusted)
    assert await login(opcua_site, "vera") == "in"


async def test_who_is_taken_out_of_the_users_file_is_out(opcua_site: Site) -> None:
    file = opcua_site.folder / "users.toml"
    accounts = users.read(file)
    users.write(file, {name: account for name, account in accounts.items() if name != "erik"})
    assert await login(opcua_site, "erik") == "BadUserAccessDenied"
    users.write(file, accounts)
    opcua_site.forgive()
    assert await login(opcua_site, "erik") == "in"


def test_a_password_is_never_stored_and_only_itself_matches() -> None:
    account = users.Account(role="engineer", password=users.hashed(PASSWORD, CHEAP))
    assert PASSWORD not in account.password
    assert users.matches(account, PASSWORD)
    assert not users.matches(account, PASSWORD + "x")
    assert not users.matches(None, PASSWORD)
    assert users.role_of(account) is Role.ENGINEER


async def test_a_flood_of_refreshes_is_held_off(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        mine = await client.create_subscription(200, Handler())
        kind = client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
        refresh = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)
        await kind.call_method(refresh, u32(mine.subscription_id))
        with pytest.raises(ua.UaError) as found:
            await kind.call_method(refresh, u32(mine.subscription_id))
        assert refused(found.value) == "BadRefreshInProgress"
        await mine.delete()


async def test_sessions_ask_for_a_bounded_number_of_subscriptions_at_a_bounded_pace(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        mine = [await client.create_subscription(0.001, Handler()) for _ in range(10)]
        kept = opcua_site.server._server.subscription_service.subscriptions[mine[0].subscription_id]
        assert kept.data.RevisedPublishingInterval == 100.0
        with pytest.raises(ua.UaError):
            await client.create_subscription(100, Handler())
        for one in mine:
            await one.delete()
