"""The retry budget: a part of what came lately, and a little for quiet times."""

from __future__ import annotations

from lb.budget import LEAST_A_SECOND, WINDOW, Budget

LEAST = round(LEAST_A_SECOND * WINDOW)


def spent(budget: Budget, requests: int, now: float) -> int:
    """How many retries are allowed at this moment."""
    count = 0
    while budget.spend(requests, now) and count < 10_000:
        count += 1
    return count


def test_without_a_budget_everything_may_be_tried_again() -> None:
    assert spent(Budget(0), 1, 1) == 10_000


def test_retries_are_a_part_of_the_requests_and_a_little_more() -> None:
    budget = Budget(20)
    budget.observe(0, 1)
    assert spent(budget, 1000, 2) == 200 + LEAST
    assert spent(budget, 1100, 2.5) == 20


def test_a_quiet_site_has_the_least() -> None:
    assert spent(Budget(20), 0, 1) == LEAST


def test_only_the_last_seconds_count() -> None:
    budget = Budget(20)
    for second in range(31):
        budget.observe(min(second, 10) * 100, second)
    assert spent(budget, 1000, 30) == LEAST
    assert spent(budget, 1000, 30 + WINDOW - 0.1) == 0
    assert spent(budget, 1000, 30 + WINDOW) == LEAST


def test_a_steady_load_may_retry_its_part_for_ever() -> None:
    budget = Budget(20)
    retried = 0
    for tick in range(600):
        budget.observe(tick * 10, tick / 10)
        retried += spent(budget, tick * 10, tick / 10)
    assert abs(retried - (6000 * 0.2 + 60 * LEAST_A_SECOND)) <= 2 * LEAST + 20
