"""What a strategy promises, as data: a judge outside compares what it saw with exactly this.

A promise is about acknowledged changes, those that were answered with 2xx. One that is not made is
no error when it is broken, it is the price of the design; one that is made and broken is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    #: Where carts live, in a few words.
    where: str
    #: Any server may answer any request: no balancer has to tie a shopper to one.
    any_server: bool
    #: No acknowledged change is lost when one server is killed.
    survives_server_crash: bool
    #: How many acknowledged changes one killed server may take along: 0 where it survives, None
    #: where it takes all that it held.
    bounded_loss: int | None
    #: None is lost when the store is killed and starts again from its log.
    survives_store_crash: bool
    #: None is lost when the store comes back empty.
    survives_store_loss: bool
    #: Carts of known sessions are shown while the store is away.
    reads_without_store: bool
    #: Changes are accepted while the store is away.
    writes_without_store: bool
    #: Changes of one cart at the same time, by any servers that a shopper can reach, all count.
    concurrent_adds: bool
    #: A change sent again with its key, later or at once, counts once in any cart.
    keyed_retry_once: bool
    #: The replay of a key shows the first answer, not the cart as it is by then.
    replays_first_answer: bool
    #: An order holds exactly the lines of its revision, no line is bought twice, and what is added
    #: meanwhile stays.
    exact_checkout: bool
    #: No answer shows a cart older than one that was acknowledged, also not from a server that
    #: was paused and woke up, unless it says so itself.
    never_stale: bool
