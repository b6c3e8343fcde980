"""The baseline of ingest: one FastAPI route that verifies the same HMAC and awaits the same producer, and no more."""

import base64
import hashlib
import hmac
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, HTTPException, Request

SECRET = os.environ.get("BARE_SECRET", "").encode()
TOPIC = "bench.bare"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["BARE_KAFKA"], acks="all", enable_idempotence=True)
    await producer.start()
    app.state.producer = producer
    yield
    await producer.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/v1/webhooks/zendesk", status_code=202)
async def receive(request: Request) -> dict[str, int]:
    body = await request.body()
    stamp = request.headers["x-zendesk-webhook-signature-timestamp"].encode()
    expected = base64.b64encode(hmac.new(SECRET, stamp + body, hashlib.sha256).digest())
    if not hmac.compare_digest(expected, request.headers["x-zendesk-webhook-signature"].encode()):
        raise HTTPException(401)
    key = request.headers["x-zendesk-webhook-invocation-id"].encode()
    await request.app.state.producer.send_and_wait(TOPIC, body, key=key)
    return {"accepted": 1}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
