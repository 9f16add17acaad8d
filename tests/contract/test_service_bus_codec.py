"""The stand-in's AMQP types, against the SDK's encoder and decoder: each reads what the other wrote."""

from typing import Any
from uuid import UUID

import pytest
from azure.servicebus._pyamqp._decode import decode_payload
from azure.servicebus._pyamqp._encode import encode_payload
from azure.servicebus._pyamqp.message import Message
from hypothesis import given
from hypothesis import strategies as st

from tests.standins.service_bus.codec import (
    Array,
    Described,
    Int,
    MalformedError,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    decode,
    encode,
)
from tests.standins.service_bus.frame import Fields
from tests.standins.service_bus.message import AmqpMessage, body_value


def unsigned(kind: type[int], bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1).map(kind)


def signed(kind: type[int], bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(kind)


keys: st.SearchStrategy[str | bytes] = st.text(max_size=9)
ascii_text = st.text(st.characters(codec="ascii"), max_size=300)
small = signed(int, 32)
plain = st.one_of(
    st.none(),
    st.booleans(),
    small,
    st.floats(allow_nan=False),
    st.binary(max_size=300),
    st.text(max_size=300),
    st.uuids(),
)
scalar = st.one_of(
    plain,
    signed(int, 64),
    unsigned(UByte, 8),
    unsigned(UShort, 16),
    unsigned(UInt, 32),
    unsigned(ULong, 64),
    signed(Int, 32),
    signed(Timestamp, 64),
    ascii_text.map(Symbol),
)
arrays = st.one_of(
    *(st.lists(kind, min_size=1, max_size=9).map(Array) for kind in (signed(int, 64), st.uuids(), st.text()))
)
value = st.recursive(
    scalar | arrays,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(max_size=9), inner, max_size=5)
        | st.builds(Described, unsigned(ULong, 64), inner)
    ),
    max_leaves=20,
)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of one type, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Described):
        return same(one.descriptor, other.descriptor) and same(one.value, other.value)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(value=value)
def test_value_when_written_and_read_is_itself(value: Any) -> None:
    written = encode(value)
    read, end = decode(written)
    assert same(read, value)
    assert end == len(written)


@given(value=value, data=st.data())
def test_value_when_cut_short_is_refused(value: Any, data: st.DataObject) -> None:
    written = encode(value)
    length = data.draw(st.integers(0, len(written) - 1))
    with pytest.raises(MalformedError):
        decode(written[:length])


def as_the_sdk_reads(value: Any) -> Any:
    """Give a value as the SDK hands it out: texts as bytes."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return [as_the_sdk_reads(item) for item in value]
    if isinstance(value, dict):
        return {as_the_sdk_reads(key): as_the_sdk_reads(item) for key, item in value.items()}
    return value


@given(value=st.dictionaries(st.text(max_size=9), scalar | arrays, min_size=1, max_size=5))
def test_value_when_we_write_it_is_read_by_the_sdk(value: dict[str, Any]) -> None:
    payload = encode(Described(ULong(0x77), value))
    read = decode_payload(memoryview(payload))
    assert read.value == as_the_sdk_reads(value)


@given(value=st.dictionaries(keys, plain, min_size=1, max_size=5), body=st.binary(max_size=70_000))
def test_message_when_the_sdk_writes_it_is_read_by_us(value: dict[str | bytes, Any], body: bytes) -> None:
    asked = bytearray()
    encode_payload(asked, Message(value=value))
    assert body_value(bytes(asked)) == value
    sent = bytearray()
    encode_payload(sent, Message(data=[body], application_properties=value))
    message = AmqpMessage.parse(bytes(sent))
    assert (message.application, message.properties) == (value, Fields())
    assert decode(message.body)[0].value == body


def test_uuid_when_it_is_a_lock_token_is_in_the_byte_order_that_the_sdk_reads() -> None:
    token = UUID("00112233-4455-6677-8899-aabbccddeeff")
    assert decode(encode(token))[0] == token
    assert decode_payload(memoryview(encode(Described(ULong(0x77), {"token": token})))).value == {b"token": token}
