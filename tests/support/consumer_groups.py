"""What a Kafka broker knows of our consumer groups: who is in them, and how far they have read."""

from services.router.app import DIRECTORY_GROUP, INTAKE_GROUP
from services.scoring.app import GROUP as SCORING_GROUP
from tests.support.deployments import admin_of

__all__ = ["DIRECTORY_GROUP", "INTAKE_GROUP", "SCORING_GROUP", "members", "offsets"]


async def offsets(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """The committed offsets of a group, by topic and partition."""
    async with admin_of(bootstrap) as admin:
        found = await admin.list_consumer_group_offsets(group)
    return {(place.topic, place.partition): kept.offset for place, kept in found.items()}


async def members(bootstrap: str, group: str) -> frozenset[str]:
    """The ids of a group's members; one that was evicted, and came back, has another id."""
    async with admin_of(bootstrap) as admin:
        (answer,) = await admin.describe_consumer_groups([group])
    ((_, _, state, _, _, found, *_),) = answer.groups
    return frozenset(member[0] for member in found) if state == "Stable" else frozenset()
