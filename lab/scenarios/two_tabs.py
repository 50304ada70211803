"""Twenty tabs add to one cart at once: the lost update, where every single request is right."""

from __future__ import annotations

from lab.scenario import Prediction, Scenario

TWO_TABS = Scenario(
    name="two-tabs",
    title="Twenty tabs, one cart",
    question="One shopper adds 500 times to one cart, from 20 tabs at once. How many of the 500 are in it?",
    predictions=(
        Prediction("500 where a change is one step; far fewer where a cart is read, changed and written"),
        Prediction("500: each of them was answered with 200", "an answer is taken for a promise that lasts"),
        Prediction("500: a store runs one command at a time", "two commands are taken for one"),
        Prediction("25: each tab has its own", "tabs are taken for shoppers: they share one cookie"),
    ),
    faults=(),
    tests=("concurrent_adds",),
    claims=("lost-update",),
    what_breaks="nothing: one shopper with 20 tabs adds 500 times to one cart",
    what_you_see="`naive_blob` keeps about a tenth of what it acknowledged; `stateless` keeps 500",
    what_you_learn="a read, a change and a write are one step, or whoever writes last wins",
    lesson=(
        "A store that runs one command at a time does not make two commands one. Who reads a cart, changes "
        "it and writes it back undoes what others wrote in between, and everybody had been told 'done'."
    ),
    hint="Look at the revisions in two answers that came at the same time: do both say the same number?",
    arms=("naive_blob", "stateless"),
    workload="tabs",
    shoppers=1,
)
