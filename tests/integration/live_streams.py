"""Streams while they are under way: one that is read as it comes, many at once, and one that nobody need read."""
import json
import socket
import threading

from site_under_test import ACCESS_KEY, collect, next_event, parse_events, request

CHUNKS = 20
PATIENCE = 120  # s


def gated(gate):
    """An answer whose chunks come one for each permission."""

    def answer(call):
        call.chunk(role="assistant", content="")
        for i in range(CHUNKS):
            assert gate.acquire(timeout=30)
            call.chunk(content=f"word{i} ")
        call.chunk(finish_reason="stop")
        call.event("[DONE]")
        call.end_stream()

    return answer


def check_chunks_come_one_by_one(site, upstream):
    """Each reaches the client before the next is sent."""
    gate = threading.Semaphore(0)
    upstream.answer = gated(gate)
    with site.open_stream() as response:
        assert next_event(response)["type"] == "message_start"
        for i in range(CHUNKS):
            gate.release()
            event = next_event(response)
            if i == 0:
                assert event["type"] == "content_block_start"
                event = next_event(response)
            assert event["delta"]["text"] == f"word{i} "
        assert [next_event(response)["type"] for _ in range(3)] == ["content_block_stop", "message_delta", "message_stop"]


def check_many_at_once(site, upstream, count, look):
    """So many streams are open at the same time, and each comes to its end.  `look` is called while they are."""
    arrived = threading.Barrier(count + 1)
    go = threading.Event()

    def answer(call):
        call.chunk(content="a")
        arrived.wait(PATIENCE)
        assert go.wait(PATIENCE)
        for _ in range(CHUNKS):
            call.chunk(content="b")
        call.event("[DONE]")
        call.end_stream()

    upstream.answer = answer
    results = []
    threads = [threading.Thread(target=lambda: results.append(collect(site.stream()))) for _ in range(count)]
    for thread in threads:
        thread.start()
    arrived.wait(PATIENCE)
    look()
    go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [r["content"][0]["text"] for r in results] == ["a" + "b" * CHUNKS] * count


def send_request(site, **members):
    """Ask for a stream on a socket of our own, which takes little that is not read."""
    body = json.dumps(request(stream=True, **members)).encode()
    client = socket.socket()
    client.settimeout(60)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    # Loopback's segments are larger than this window: then each one waits for the timer of an empty window.
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    client.connect(("127.0.0.1", site.port))
    client.sendall(b"POST %s/v1/messages HTTP/1.0\r\nHost: x\r\nx-api-key: %s\r\nContent-Length: %d\r\n\r\n%s"
                   % (site.prefix.encode(), ACCESS_KEY.encode(), len(body), body))
    return client


def read_events(client):
    """The events of what send_request asked for, to its end."""
    with client, client.makefile("rb") as response:
        head, _, body = response.read().decode().partition("\r\n\r\n")
    assert head.split()[1] == "200", head
    return parse_events(body)
