"""Messages, calls and streams between people, on both protocols."""

import asyncio

from livekit import rtc

from harness.until import until


async def test_reliable_data_arrives_in_order(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await anna.sees_person("ben")
    await ben.sees_person("anna")
    sent = [f"{number:04}".encode() + bytes(number % 700) for number in range(300)]
    for payload in sent:
        await anna.me.publish_data(payload, reliable=True, topic="order")
    await until("all of it", lambda: len(ben.told("data_received")) >= len(sent), 15)
    packets = [packet for (packet,) in ben.told("data_received")]
    assert [packet.data for packet in packets] == sent
    assert {packet.participant.identity for packet in packets} == {"anna"}
    assert {packet.topic for packet in packets} == {"order"}
    assert not anna.told("data_received")


async def test_lossy_data_arrives(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await ben.sees_person("anna")

    async def some_arrived():
        await anna.me.publish_data(b"now or never", reliable=False)
        return len(ben.told("data_received")) >= 10

    await until("ten of them", some_arrived)
    assert all(packet.kind == rtc.DataPacketKind.KIND_LOSSY for (packet,) in ben.told("data_received"))


async def test_data_goes_to_whom_it_is_for(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    carl = await guests.join("carl", protocol)
    for person in (ben, carl):
        await person.sees_person("anna")
    await anna.me.publish_data(b"for ben", destination_identities=["ben"])
    await anna.me.publish_data(b"for all")
    await until("ben has both", lambda: len(ben.told("data_received")) == 2)
    await until("carl has one", lambda: carl.told("data_received"))
    assert [packet.data for (packet,) in ben.told("data_received")] == [b"for ben", b"for all"]
    assert [packet.data for (packet,) in carl.told("data_received")] == [b"for all"]


async def test_remote_procedure_call(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await anna.sees_person("ben")
    await ben.sees_person("anna")

    async def turned(call: rtc.RpcInvocationData) -> str:
        if not call.payload:
            raise rtc.RpcError(1700, "nothing to turn")
        return f"{call.caller_identity}: {call.payload[::-1]}"

    ben.me.register_rpc_method("turn", turned)
    long = "0123456789" * 900
    for payload in ("abc", long):
        answer = await anna.me.perform_rpc(destination_identity="ben", method="turn", payload=payload)
        assert answer == f"anna: {payload[::-1]}"
    errors = []
    for method, payload in (("turn", ""), ("unknown", "x")):
        try:
            await anna.me.perform_rpc(destination_identity="ben", method=method, payload=payload)
        except rtc.RpcError as error:
            errors.append(error.code)
    assert errors == [1700, rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD]


async def test_text_streams(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    got: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    reading = set()

    def opened(reader: rtc.TextStreamReader, identity: str) -> None:
        async def read() -> None:
            got.put_nowait((identity, await reader.read_all()))

        reading.add(asyncio.create_task(read()))

    ben.room.register_text_stream_handler("chat", opened)
    await ben.sees_person("anna")
    await anna.sees_person("ben")
    long = "Grüße, 世界! " * 8000
    for text in ("short", long):
        await anna.me.send_text(text, topic="chat")
        assert await asyncio.wait_for(got.get(), 15) == ("anna", text)
    writer = await anna.me.stream_text(topic="chat")
    for word in ("one ", "two ", "three"):
        await writer.write(word)
    await writer.aclose()
    assert await asyncio.wait_for(got.get(), 15) == ("anna", "one two three")


async def test_byte_streams(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    got: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    reading = set()

    def opened(reader: rtc.ByteStreamReader, identity: str) -> None:
        async def read() -> None:
            got.put_nowait((reader.info.name, b"".join([part async for part in reader])))

        reading.add(asyncio.create_task(read()))

    ben.room.register_byte_stream_handler("files", opened)
    await ben.sees_person("anna")
    await anna.sees_person("ben")
    content = bytes(range(256)) * 1500
    writer = await anna.me.stream_bytes("noise.bin", topic="files", total_size=len(content))
    await writer.write(content)
    await writer.aclose()
    assert await asyncio.wait_for(got.get(), 20) == ("noise.bin", content)
