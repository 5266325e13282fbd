"""Failed logins: when the next try may be, for a user and for an address, and what is remembered."""

from __future__ import annotations

import random
import threading

import pytest

from hemato_lab.twin.throttling import FORGOTTEN_AFTER_S, FREE_FOR_PEER, FREE_FOR_USER, LONGEST_WAIT_S, LoginThrottle


class Guesser:
    """Fails to log in, at a time of its own."""

    def __init__(self, most_remembered: int = 10_000) -> None:
        self.now = 1000.0
        self.throttle = LoginThrottle(monotonic=lambda: self.now, most_remembered=most_remembered)

    def fail(self, user: str = "ana", peer: str = "192.0.2.1") -> float:
        wait_s = self.throttle.wait_s(user, peer)
        if wait_s == 0:
            self.throttle.failed(user, peer)
        return wait_s

    def wait_s(self, user: str = "ana", peer: str = "192.0.2.1") -> float:
        """How long to wait, without a try that stays under way."""
        wait_s = self.throttle.wait_s(user, peer)
        if wait_s == 0:
            self.throttle.succeeded(user, peer)
        return wait_s


@pytest.fixture
def guesser() -> Guesser:
    return Guesser()


def test_mistyping_costs_nothing_and_guessing_ever_more(guesser: Guesser) -> None:
    assert [guesser.fail() for _ in range(FREE_FOR_USER)] == [0.0] * FREE_FOR_USER
    waits = []
    for _ in range(10):
        waits.append(guesser.fail())
        guesser.now += waits[-1]
        assert guesser.fail() == 0.0
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]


def test_a_user_is_slow_wherever_the_tries_come_from(guesser: Guesser) -> None:
    for number in range(FREE_FOR_USER):
        guesser.fail(peer=f"192.0.2.{number}")
    assert guesser.fail(peer="198.51.100.1") == 1.0
    assert guesser.fail("ANA", "198.51.100.1") == 1.0
    assert guesser.fail("bob", "198.51.100.1") == 0.0


def test_an_address_is_slow_whoever_is_tried(guesser: Guesser) -> None:
    for number in range(FREE_FOR_PEER):
        assert guesser.fail(f"user {number}") == 0.0
    assert guesser.fail("another") == 1.0
    assert guesser.fail("another", "192.0.2.2") == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("testclient", "testclient", True),
        ("", "testclient", False),
    ],
)
def test_addresses_of_one_network_count_together(guesser: Guesser, one: str, other: str, *, same: bool) -> None:
    for number in range(FREE_FOR_PEER):
        guesser.fail(f"user {number}", one)
    assert guesser.fail("another", other) == (1.0 if same else 0.0)


def test_waiting_less_is_answered_with_the_rest(guesser: Guesser) -> None:
    for _ in range(FREE_FOR_USER + 2):
        guesser.now += guesser.fail()
        guesser.fail()
    wait_s = guesser.fail()
    guesser.now += wait_s / 4
    assert guesser.fail() == pytest.approx(wait_s * 3 / 4)


def test_the_right_password_forgives_the_user_and_not_the_address(guesser: Guesser) -> None:
    for _ in range(FREE_FOR_USER - 1):
        guesser.fail()
    assert guesser.wait_s() == 0.0
    assert [guesser.fail() for _ in range(FREE_FOR_USER)] == [0.0] * FREE_FOR_USER
    assert guesser.fail() == 1.0
    for number in range(FREE_FOR_PEER - 2 * FREE_FOR_USER + 1):
        assert guesser.fail(f"user {number}") == 0.0
        assert guesser.wait_s(f"mine {number}") == (0.0 if number < FREE_FOR_PEER - 2 * FREE_FOR_USER else 1.0)


def test_failures_are_forgotten_after_a_quarter_of_an_hour(guesser: Guesser) -> None:
    for _ in range(FREE_FOR_USER + 20):
        guesser.fail()
        guesser.now += LONGEST_WAIT_S
    guesser.now += FORGOTTEN_AFTER_S + 1
    assert [guesser.fail() for _ in range(FREE_FOR_USER)] == [0.0] * FREE_FOR_USER


def test_many_tries_at_a_time_are_no_way_around(guesser: Guesser) -> None:
    begun = [guesser.throttle.wait_s("ana", "192.0.2.1") for _ in range(200)]
    assert begun.count(0.0) == 50
    for _ in range(50):
        guesser.throttle.failed("ana", "192.0.2.1")
    assert guesser.fail() == LONGEST_WAIT_S
    guesser.now += LONGEST_WAIT_S
    again = [guesser.throttle.wait_s("ana", "192.0.2.1") for _ in range(200)]
    assert again.count(0.0) == 1


def test_tries_that_never_ended_do_not_lock_out(guesser: Guesser) -> None:
    while guesser.throttle.wait_s("ana", "192.0.2.1") == 0:
        pass
    guesser.now += 31
    assert guesser.wait_s() == 0.0


def test_logins_at_a_time_that_succeed_are_free(guesser: Guesser) -> None:
    for _ in range(20):
        assert [guesser.throttle.wait_s("ana", "192.0.2.1") for _ in range(20)] == [0.0] * 20
        for _ in range(20):
            guesser.throttle.succeeded("ana", "192.0.2.1")


def test_what_is_remembered_has_a_bound() -> None:
    guesser = Guesser(most_remembered=100)
    for number in range(1000):
        guesser.throttle.wait_s(f"user {number}" * 1000, f"peer {number}")
        guesser.throttle.failed(f"user {number}" * 1000, f"peer {number}")
    assert len(guesser.throttle._users) == len(guesser.throttle._peers) == 100
    assert max(map(len, guesser.throttle._users)) == 32


def test_who_waits_crowds_nobody_out_of_the_memory() -> None:
    guesser = Guesser(most_remembered=100)
    for _ in range(FREE_FOR_USER + 1):
        guesser.fail("ana", "192.0.2.1")
    for number in range(1000):
        guesser.fail(f"user {number}", "192.0.2.66")
    assert guesser.fail("ana", "192.0.2.1") == 1.0


def test_a_guesser_has_a_few_thousand_tries_a_day() -> None:
    guesser, chance, tries = Guesser(), random.Random(0), 0  # noqa: S311 (repeatable)
    while guesser.now < 1000.0 + 86_400:
        wait_s = guesser.fail(peer=f"198.51.100.{chance.randrange(256)}")
        tries += wait_s == 0
        guesser.now += max(wait_s, 0.06)
    assert tries < 2_000


def test_threads_do_not_lose_count(guesser: Guesser) -> None:
    def fail() -> None:
        for number in range(500):
            guesser.throttle.wait_s(f"user {number}", "192.0.2.1")
            guesser.throttle.failed("ana", "192.0.2.9")

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(record.failures for record in guesser.throttle._users.values()) == 2000
