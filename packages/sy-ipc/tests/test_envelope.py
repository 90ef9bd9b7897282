import contextlib

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sy_commons import SymphonyError
from sy_ipc import EnvelopeMalformed, PayloadTooDeep, PayloadTooLarge, VersionUnknown
from sy_ipc._wire.envelope import VERSION, Envelope, Kind, decode_envelope, encode_envelope

envelopes = st.builds(
    Envelope,
    kind=st.sampled_from(Kind),
    id=st.integers(0, 2**63),
    subject=st.text(max_size=30),
    payload=st.recursive(st.integers() | st.text(), st.lists, max_leaves=9)
    .filter(lambda value: not isinstance(value, int) or -(2**63) <= value < 2**64)
    .map(lambda value: msgspec.Raw(msgspec.msgpack.encode(str(value)))),
    timeout_s=st.none() | st.floats(0, 1e6),
    headers=st.none() | st.dictionaries(st.text(), st.text(), max_size=3),
)


@given(envelopes)
def test_an_envelope_comes_back_equal(envelope: Envelope) -> None:
    again = decode_envelope(encode_envelope(envelope))
    assert bytes(again.payload) == bytes(envelope.payload)
    again.payload = envelope.payload
    assert again == envelope


def test_the_payload_stays_as_it_was_encoded() -> None:
    payload = msgspec.Raw(b"\xcd\x00\x01")  # one, in more bytes than needed
    again = decode_envelope(encode_envelope(Envelope(Kind.PUBLISH, 0, "a", payload)))
    assert bytes(again.payload) == b"\xcd\x00\x01"


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: bytes([VERSION]) + tail))
@example(bytes([VERSION]) + b"\x91" * 200_000)
@example(bytes([VERSION]) + b"\xdf\xff\xff\xff\xff" * 50)
def test_hostile_frames_give_an_envelope_or_a_symphony_error(frame: bytes) -> None:
    with contextlib.suppress(SymphonyError):
        assert isinstance(decode_envelope(frame), Envelope)


@given(envelopes, st.data())
def test_a_torn_frame_is_malformed(envelope: Envelope, data: st.DataObject) -> None:
    frame = encode_envelope(envelope)
    cut = data.draw(st.integers(1, len(frame) - 1))
    with pytest.raises(EnvelopeMalformed):
        decode_envelope(frame[:cut])


def test_another_version_is_named() -> None:
    with pytest.raises(VersionUnknown, match="version 9, and 1 is known"):
        decode_envelope(b"\x09\x80")


def test_an_empty_frame_is_malformed() -> None:
    with pytest.raises(EnvelopeMalformed, match="empty"):
        decode_envelope(b"")


def test_an_unknown_kind_is_malformed() -> None:
    frame = bytes([VERSION]) + msgspec.msgpack.encode({"kind": 99, "id": 1})
    with pytest.raises(EnvelopeMalformed, match="99"):
        decode_envelope(frame)


def test_fields_of_a_newer_sender_are_ignored() -> None:
    frame = bytes([VERSION]) + msgspec.msgpack.encode({"kind": 5, "id": 1, "novel": [1, 2]})
    assert decode_envelope(frame) == Envelope(Kind.CANCEL, 1)


def test_size_and_nesting_are_bounded_before_anything_is_made_of_the_payload() -> None:
    deep = msgspec.Raw(b"\x91" * 200 + b"\xc0")
    with pytest.raises(PayloadTooDeep):
        decode_envelope(encode_envelope(Envelope(Kind.PUBLISH, 0, "a", deep)))
    large = msgspec.Raw(msgspec.msgpack.encode(b"x" * 200_000))
    with pytest.raises(PayloadTooLarge):
        decode_envelope(encode_envelope(Envelope(Kind.PUBLISH, 0, "a", large)), max_size_bytes=1000)
