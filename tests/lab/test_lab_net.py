"""The lab's ports are its own: what it binds and does not listen to refuses, whatever other labs run beside it."""

from __future__ import annotations

from socket import SOCK_STREAM

import pytest

from btdiag.lab.net import bound, on_one_port


def test_a_port_that_nobody_listens_to_is_not_given_to_another_lab() -> None:
    with bound("127.0.0.1") as refusing, pytest.raises(OSError, match="in use"):
        bound("127.0.0.1", refusing.getsockname()[1])


def test_a_port_that_was_asked_for_is_had_again_right_after_its_last_connection() -> None:
    with bound("127.0.0.1") as free:
        port = free.getsockname()[1]
    _, (listening,) = on_one_port([("127.0.0.1", SOCK_STREAM)], port)
    with listening, bound("127.0.0.1") as client:
        listening.listen()
        client.setblocking(True)
        client.connect(("127.0.0.1", port))
        listening.setblocking(True)
        listening.accept()[0].close()  # the side that closes first keeps the address for a minute (TIME_WAIT)
    _, (again,) = on_one_port([("127.0.0.1", SOCK_STREAM)], port)
    again.close()
