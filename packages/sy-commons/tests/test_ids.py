import os
import threading
import time
import uuid

import pytest

from sy_commons import _ids, uuid7


def test_ids_carry_version_variant_and_time() -> None:
    made = uuid7()

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) - time.time() * 1000) < 60_000


def test_ids_rise_within_and_across_threads() -> None:
    made: list[list[uuid.UUID]] = [[] for _ in range(4)]
    threads = [
        threading.Thread(target=lambda ids: ids.extend(uuid7() for _ in range(2000)), args=(ids,))
        for ids in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(ids == sorted(ids) for ids in made)
    assert len({made_id for ids in made for made_id in ids}) == 8000


def test_a_clock_set_back_does_not_turn_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    before = uuid7()
    monkeypatch.setattr(_ids.time, "time_ns", lambda: 10**18)

    assert uuid7() > before


@pytest.mark.integration
def test_a_forked_child_makes_ids_while_the_parents_lock_is_held() -> None:
    """Another thread may hold the lock as the process forks; the child must not wait for it."""
    with _ids._guard:
        child = os.fork()
        if child == 0:
            os._exit(0 if uuid7().version == 7 else 1)
    deadline = time.monotonic() + 10
    while (done := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if done == (0, 0):
        os.kill(child, 9)
        os.waitpid(child, 0)

    assert done == (child, 0)
