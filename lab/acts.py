"""The acts of a run, in the words a learner hears."""

from __future__ import annotations

from dataclasses import dataclass

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

ALL = (STEADY, SHOP, CRASH, SHOP_ON, HEAL, READ_BACK, JUDGE)
CALM = (STEADY, SHOP, READ_BACK, JUDGE)
