"""Lets aiokafka ask for a producer id in version 4 of the protocol, the only one Tansu grants.

aiokafka 0.14 knows version 0, which Tansu answers with error -1. Field lists: Kafka's InitProducerIdRequest.json.
"""

from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.protocol.types import CompactString, Int16, Int32, Int64, Schema, TaggedFields

NO_PRODUCER_YET = (-1, -1)


class InitProducerIdResponse_v4(Response):
    API_KEY = 22
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("tags", TaggedFields),
    )


class InitProducerIdRequest_v4(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 22
    API_VERSION = 4
    RESPONSE_TYPE = InitProducerIdResponse_v4
    SCHEMA = Schema(
        ("transactional_id", CompactString("utf-8")),
        ("transaction_timeout_ms", Int32),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("tags", TaggedFields),
    )


def install() -> None:
    """Make aiokafka's producers in this process send version 4 where the broker offers it."""
    InitProducerIdRequest._CLASSES = (InitProducerIdRequest_v4,)
    InitProducerIdRequest.build = _build


def _build(request: InitProducerIdRequest, version: type[RequestStruct]) -> RequestStruct:
    return version(request._transactional_id, request._transaction_timeout_ms, *NO_PRODUCER_YET, {})
