"""A record in our words, as kafka-python reads it; also where it would read nothing more.

The name of a header is text to kafka-python, and one that is not UTF-8 an error of every `poll` from there on: one
record would hold up its partition for ever. Such a name is read with its odd bytes escaped, as `\\xff`.
"""

from __future__ import annotations

from typing import Any

from kafka.record.default_records import DefaultRecordBatch

from delivery.kafka.records import Record

_READ = DefaultRecordBatch._read_msg  # noqa: SLF001 -- nothing public is between the bytes and the error


class _Lenient(bytearray):
    """Bytes that can always be decoded."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _Lenient(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


def _read(batch: Any, *words: Any) -> Any:
    try:
        return _READ(batch, *words)
    except UnicodeDecodeError:
        # It has not moved on: this and all that follows of the batch is read so.
        batch._buffer = _Lenient(batch._buffer)  # noqa: SLF001
        return _READ(batch, *words)


DefaultRecordBatch._read_msg = _read  # noqa: SLF001


def record_of(one: Any) -> Record:
    """As we have it; a header without a value has an empty one."""
    headers = tuple((name, b"" if value is None else value) for name, value in one.headers)
    return Record(one.topic, one.partition, one.offset, one.key, one.value, headers, one.timestamp)
