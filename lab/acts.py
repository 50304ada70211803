"""The acts of a run, in the words a learner hears."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.timeline import ActBegan


@dataclass(frozen=True, slots=True)
class Act:
    name: str
    sentence: str
    look_at: str

    def begins(self, at: float) -> ActBegan:
        return ActBegan(at, self.name, self.sentence, self.look_at)


STEADY = Act(
    "steady",
    "Every server is up and has answered a request. Only a healthy site may be broken.",
    "all servers up, no carts yet",
)
SHOP = Act(
    "shop",
    "Shoppers fill their carts; every request goes through the load balancer.",
    "carts held: sticky keeps each cart in one server's memory, stateless keeps all in the store",
)
CRASH = Act(
    "crash",
    "One server dies in the middle of the traffic, with requests in its hands.",
    "who holds the most carts, and who answers its shoppers then?",
)
SHOP_ON = Act(
    "shop on",
    "Everybody comes back. The balancer sends the dead server's shoppers to the others.",
    "no error pages on either side; but what is in the carts?",
)
HEAL = Act(
    "heal",
    "The dead server is started again. Its process is back; what it had in memory is not.",
    "carts held by the server that came back",
)
READ_BACK = Act(
    "read back",
    "Every shopper opens their cart once more, through the balancer.",
    "what was acknowledged, and what is still there",
)
JUDGE = Act(
    "judge",
    "Every acknowledged item is compared with what was read back.",
    "one verdict an arm",
)

#: Where an orchestrator heals, which does not wait to be asked.
REPLACED = Act(
    HEAL.name,
    "Swarm has put a new task in the dead server's place. What the old one had in memory is gone.",
    "when was it replaced, and what does the new server hold?",
)


@dataclass(frozen=True, slots=True)
class Story:
    """The acts of one kind of fault. ``heal`` is None for one that is over by itself."""

    crash: Act = CRASH
    shop_on: Act = SHOP_ON
    heal: Act | None = HEAL

    @property
    def acts(self) -> tuple[Act, ...]:
        healing = () if self.heal is None else (self.heal,)
        return (STEADY, SHOP, self.crash, self.shop_on, *healing, READ_BACK, JUDGE)


def _story(crash: str, look_at: str, shop_on: str, heal: tuple[str, str] | None) -> Story:
    healing = Act(HEAL.name, *heal) if heal else None
    return Story(Act(CRASH.name, crash, look_at), replace(SHOP_ON, sentence=shop_on), healing)


CRASHED = Story()
STOPPED = replace(
    CRASHED,
    crash=replace(
        CRASH,
        sentence="One server is told to stop. It finishes what it has in its hands, politely, and goes.",
    ),
)
RESTARTED = _story(
    "One server is stopped and started again at once, as every deployment does.",
    "how long is it away, and what does it still know?",
    "Everybody comes back. The server is well again, and has forgotten everything.",
    None,
)
FROZEN = _story(
    "One server freezes in the middle of the traffic: its connections stand, and nothing answers.",
    "nobody is refused, so only time tells the balancer; who waits, and for how long?",
    "Everybody comes back. The balancer sends the frozen server's shoppers to the others.",
    (
        "The frozen server goes on as if nothing had been, with every cart in its memory.",
        "its carts are there; is anybody sent to them?",
    ),
)
CUT_OFF = _story(
    "One server is cut off the balancer's network: it runs, and no shopper can reach it.",
    "checks time out; who waits, and for how long?",
    "Everybody comes back. The balancer sends the lonely server's shoppers to the others.",
    (
        "The cable is plugged in again. The server has every cart in its memory.",
        "its carts are there; is anybody sent to them?",
    ),
)
CUT_FROM_STORE = _story(
    "One server is cut off the store: it runs, answers, and cannot reach a single cart.",
    "it says that it is not ready; how many shoppers heard a 503 before the balancer asked?",
    "Everybody comes back. The balancer sends everybody to servers that reach the store.",
    ("The cable is plugged in again: the server reaches the store.", "all servers up"),
)

STORE_GONE = _story(
    "The store dies in the middle of the traffic; every server lives.",
    "an error is honest, an empty cart is not: what do shoppers see while the store is away?",
    "Everybody comes back. What lives in a server's memory does not even notice.",
    ("The store is started again, with whatever it wrote down.", "are the carts back with it?"),
)
GO_BACK = Act(
    "go back",
    "What was broken is back, and people shop on: who is sent home now, and to which cart?",
    "the carts of those who were away from home",
)

ALL = CRASHED.acts
CALM = (STEADY, SHOP, READ_BACK, JUDGE)
