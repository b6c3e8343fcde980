"""Which partition a key belongs to: the murmur2 hash that all Kafka clients use by default (pure)."""

import struct
from functools import cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_WORD = 0xFFFFFFFF


@cache
def _words(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}I")


def murmur2(key: bytes) -> int:
    """`org.apache.kafka.common.utils.Utils.murmur2`, as an unsigned 32-bit number."""
    length = len(key)
    whole = length & ~3
    hashed = _SEED ^ length
    for word in _words(whole >> 2).unpack_from(key):
        word = (word * _M) & _WORD
        word = ((word ^ (word >> 24)) * _M) & _WORD
        hashed = ((hashed * _M) & _WORD) ^ word
    if length > whole:
        hashed = ((hashed ^ int.from_bytes(key[whole:], "little")) * _M) & _WORD
    hashed = ((hashed ^ (hashed >> 13)) * _M) & _WORD
    return hashed ^ (hashed >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions
