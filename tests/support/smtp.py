"""A mail server of a few lines: keeps what it takes, and refuses, stalls or vanishes when told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """`refuse` is the answer to RCPT TO in place of 250, for as long as it is set; `vanish` drops the connection after
    DATA that many times, the message kept."""

    port: int = 0
    kept: list[EmailMessage] = field(default_factory=list)
    refuse: str = ""
    vanish: int = 0

    def to(self, email: str) -> list[EmailMessage]:
        return [message for message in self.kept if message["To"] == email]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 double\r\n")
            while line := (await reader.readline()).decode().strip():
                if not await self._answer(line.upper(), reader, writer):
                    break
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if line.startswith("RCPT") and self.refuse:
            writer.write(f"{self.refuse}\r\n".encode())
        elif line == "DATA":
            writer.write(b"354 go on\r\n")
            await writer.drain()
            body = await reader.readuntil(b"\r\n.\r\n")
            message = message_from_bytes(body[:-5], policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.kept.append(message)
            if self.vanish:
                self.vanish -= 1
                return False
            writer.write(b"250 kept\r\n")
        elif line == "QUIT":
            writer.write(b"221 bye\r\n")
            return False
        else:
            writer.write(b"250 ok\r\n")
        return True


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """Listening on loopback while the block runs."""
    double = MailServer()
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
    double.port = server.sockets[0].getsockname()[1]
    try:
        yield double
    finally:
        server.close()
        await server.wait_closed()
