"""Which addresses a DNS name stands for: what differs, what is kept, what its servers are called."""

from __future__ import annotations

import pytest

from lb.pool import Address
from lb.roster import MOST_ADDRESSES, News, Roster, name_of
from lb.settings import BadSetting, check_name, names_of


def at(*hosts: str) -> list[Address]:
    return [Address(host, 8000) for host in hosts]


ONE, TWO, THREE = at("10.0.1.7", "10.0.1.8", "10.0.1.9")


def test_a_new_address_appears_and_one_that_is_missing_vanishes() -> None:
    roster = Roster(hold=30, now=0)
    assert roster.answer([TWO, ONE], now=1) == News(appeared=(ONE, TWO))
    assert roster.answer([THREE, TWO], now=2) == News(appeared=(THREE,), vanished=(ONE,))


def test_the_order_of_an_answer_means_nothing() -> None:
    roster = Roster(hold=30, now=0)
    roster.answer([ONE, TWO, THREE], now=1)
    assert roster.answer([THREE, ONE, TWO, ONE], now=2) == News()


def test_a_failing_lookup_keeps_the_last_answer_for_the_time_it_is_held() -> None:
    roster = Roster(hold=30, now=0)
    roster.answer([ONE, TWO], now=10)
    assert roster.no_answer(now=40) == News()
    assert roster.no_answer(now=40.1) == News(vanished=(ONE, TWO))
    assert roster.no_answer(now=41) == News()
    assert roster.answer([ONE], now=42) == News(appeared=(ONE,))


def test_an_answer_without_end_is_cut() -> None:
    many = at(*(f"10.0.{n // 250}.{n % 250}" for n in range(MOST_ADDRESSES + 50)))
    assert len(Roster(hold=1, now=0).answer(many, now=0).appeared) == MOST_ADDRESSES


@pytest.mark.parametrize(
    ("host", "name"),
    [("10.0.1.7", "cart-10.0.1.7"), ("fd00::1:7", "cart-fd00--1-7"), ("fe80::1%eth0", "cart-fe80--1_eth0")],
)
def test_a_server_is_called_after_its_address(host: str, name: str) -> None:
    assert name_of("cart", Address(host, 80)) == name
    check_name(name)


def test_the_longest_prefix_and_the_longest_address_still_make_a_name() -> None:
    (prefix,) = names_of([f"{'c' * 24}=tasks.cart:80"])
    check_name(name_of(prefix, Address("2001:0db8:1111:2222:3333:4444:5555:6666", 80)))
    with pytest.raises(BadSetting, match="at most 24 characters"):
        names_of([f"{'c' * 25}=tasks.cart:80"])
