"""`python -m bench.overhead.upstream`: an OpenAI-compatible server that costs next to nothing, on the loopback.

It answers every POST with the same bytes: whole, or for `"stream":true` as PIECES events, so many in each write.
What a gateway in front of it takes is then all there is to measure.
"""

from __future__ import annotations

import asyncio
import json
import sys

PIECES = 256
_USAGE = {"prompt_tokens": 12, "completion_tokens": PIECES, "total_tokens": 12 + PIECES}
_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\n{}\r\n\r\n"
_READY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n" + b'{"data": []}'


def _whole() -> bytes:
    message = {"role": "assistant", "content": "def add(a, b):\n    return a + b\n"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"id": "c-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
                       "usage": _USAGE}).encode()  # fmt: skip
    return _HEAD.format("application/json", f"content-length: {len(body)}").encode() + body


def _event(delta: dict[str, str], finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices,
             "usage": usage}  # fmt: skip
    data = b"data: " + json.dumps(chunk).encode() + b"\n\n"
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


WHOLE = _whole()
STREAM_HEAD = _HEAD.format("text/event-stream", "transfer-encoding: chunked").encode()
EVENTS = [_event({"role": "assistant", "content": ""}), *(_event({"content": f" w{n}"}) for n in range(PIECES))]
END = _event({}, "stop", _USAGE) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection; requests come one after the other. `pause` seconds lie between events."""

    def __init__(self, pieces: int, pause: float) -> None:
        self._events, self._pause = EVENTS[: pieces + 1], pause
        self._kept = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when a whole request is there."""
        self._kept += data
        head, ended, body = self._kept.partition(b"\r\n\r\n")
        if not ended or len(body) < _length(head):
            return
        self._kept = b""
        if head.startswith(b"GET"):
            self._transport.write(_READY)
        elif b'"stream":true' in body.replace(b" ", b""):
            self._stream(0)
        else:
            self._transport.write(WHOLE)

    def _stream(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if number == len(self._events):
            self._transport.write(END)
            return
        self._transport.write((STREAM_HEAD if number == 0 else b"") + self._events[number])
        asyncio.get_running_loop().call_later(self._pause, self._stream, number + 1)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _serve(pieces: int, pause: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(pieces, pause), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
