"""Where a key goes, and who reads it."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from shared.bus.base import Partition, partition_of
from shared.bus.membership import assign


def test_keys_go_where_librdkafka_puts_them() -> None:
    # The check value of CRC-32 as ISO-HDLC and librdkafka have it.
    assert partition_of(b"123456789", 2**32) == 0xCBF43926
    assert partition_of(b"123456789", 6) == 2


@dataclass
class Reader:
    topics: tuple[str, ...]

    async def give_up(self) -> None: ...

    def take(self, positions: object) -> None: ...


topics = st.sampled_from([("a",), ("b",), ("a", "b")])


@given(members=st.lists(topics, max_size=7), sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_every_partition_has_one_reader_who_asked_for_it_and_the_shares_are_even(
    members: list[tuple[str, ...]], sizes: tuple[int, int]
) -> None:
    partitions = [Partition(topic, n) for topic, size in zip("ab", sizes, strict=True) for n in range(size)]
    shares = assign([Reader(topics) for topics in members], partitions)

    wanted = {topic for topics in members for topic in topics}
    assert sorted(p for share in shares for p in share) == sorted(p for p in partitions if p.topic in wanted)
    for topics_asked, share in zip(members, shares, strict=True):
        assert {partition.topic for partition in share} <= set(topics_asked)
    for kind in set(members):
        alike = [len(share) for topics_asked, share in zip(members, shares, strict=True) if topics_asked == kind]
        assert kind != ("a", "b") or len(set(members)) > 1 or max(alike) - min(alike) <= 1
