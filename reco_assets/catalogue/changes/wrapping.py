"""What is round an envelope: JSON, a schema beside the payload, a message's key beside its value."""

from __future__ import annotations

import msgspec

from reco_assets.catalogue.changes import debezium, dms
from reco_assets.catalogue.changes.envelope import Envelope, Row, mapping_of
from reco_assets.errors import BadEvent


def read_envelope(message: bytes) -> Envelope | None:
    """The change of one message; None where it says nothing: a tombstone, or a control record of DMS.

    Known are Debezium's and DMS' envelopes, with or without ``schema`` and ``payload`` round them,
    and both of these inside ``{"key": ..., "value": ...}``. Raises BadEvent with the reason.
    """
    if not message.strip():
        return None
    value: object = decoded(message)
    key: object = None
    schema: Row | None = None
    while True:
        if value is None:
            return None
        if isinstance(value, str):  # as consoles print a record: its value is JSON in a text
            value = decoded(value.encode())
            continue
        body = mapping_of(value)
        if body is None:
            raise BadEvent("not a JSON object")
        if "op" in body:
            return debezium.envelope(body, _key(body.get("key", key)), schema)
        if "metadata" in body:
            return dms.envelope(body)
        if "payload" in body:
            schema, key, value = mapping_of(body.get("schema")), body.get("key", key), body["payload"]
        elif "value" in body:
            key, value = body.get("key", key), body["value"]
        else:
            raise BadEvent("no envelope: neither Debezium's op nor DMS' metadata")


def _key(key: object) -> Row | None:
    """The columns of a message's key, out of its wrapping; None where it has no columns."""
    while True:
        if isinstance(key, str):
            try:
                key = msgspec.json.decode(key)
            except msgspec.DecodeError:
                return None
            continue
        found = mapping_of(key)
        if found is None or "payload" not in found:
            return found
        key = found["payload"]


def decoded(text: bytes) -> object:
    """The JSON of ``text``; raises BadEvent where it is none."""
    try:
        read: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadEvent("not JSON") from error
    return read
