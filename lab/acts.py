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
STORE_FULL = _story(
    "The store has no room for more: it answers, and refuses whatever is new.",
    "adds are refused, carts can be read: is anything lost that was acknowledged?",
    "Everybody comes back. Reading works, and nobody can put anything into a cart.",
    ("The store has room again.", "adds are taken again"),
)
STORE_FORGETS = _story(
    "The store has no room for all: to take what is new, it forgets the carts that were used least.",
    "no error anywhere; how many carts are left?",
    "Everybody comes back. Everything works, and some carts begin anew.",
    ("The store has room again. What it forgot, nobody can give back.", "the carts that are missing"),
)
POWER_LOST = _story(
    "The power goes: the store is gone, and the end of its log had not reached the disk.",
    "what was acknowledged in the last second?",
    "Everybody comes back, and waits for the store.",
    ("The store is started again, with what was on its disk.", "is every acknowledged add there?"),
)
SLOWED = _story(
    "The way to one server takes longer; it is up, and everything that it says is right.",
    "nothing is refused and no check fails; who waits?",
    "Everybody comes back. Whoever is tied to the slow server waits at every request.",
    ("The way is as short as before.", "the waiting is over"),
)
UNHEARD = _story(
    "One server's answers go nowhere: it hears every request and carries it out.",
    "to the balancer it is gone, to itself it is well; what was it asked meanwhile?",
    "Everybody comes back. The balancer sends the unheard server's shoppers to the others.",
    (
        "Its answers arrive again. It has every cart in its memory.",
        "its carts are there; is anybody sent to them?",
    ),
)
RESETTING = _story(
    "Every connection to one server breaks as soon as something is sent.",
    "an error after the first byte: was the change made?",
    "Everybody comes back. The balancer sends its shoppers to the others.",
    (
        "Its connections stand again, with every cart in its memory.",
        "its carts are there; is anybody sent to them?",
    ),
)
REPLY_LOST = _story(
    "One server makes the changes that it is asked for, and hangs up instead of answering.",
    "to the shopper it failed, so they do it again: how many are in the cart?",
    "Everybody comes back. The same server answers again.",
    ("Every answer arrives again.", "carts with one piece too many"),
)
SKEWED = _story(
    "One server's clock is an hour ahead.",
    "who goes by a clock on the wall, and who measures for themselves?",
    "Everybody comes back, to whichever server is theirs.",
    ("Its clock is right again.", "the carts that it called expired"),
)
CUT_FROM_SERVERS = _story(
    "One server is cut off the other servers: its shoppers reach it, and its copies reach nobody.",
    "who acknowledges what nobody else has?",
    "Everybody comes back. There are two sides now, and each believes that the other is gone.",
    ("The cable is plugged in again, and two truths meet.", "which of them wins?"),
)
BALANCER_GONE = _story(
    "The balancer dies and is started again at once, on the same port.",
    "for a moment nobody answers; what did it know that nobody else does?",
    "Everybody comes back to a balancer that has never seen them.",
    None,
)
GO_BACK = Act(
    "go back",
    "What was broken is back, and people shop on: who is sent home now, and to which cart?",
    "the carts of those who were away from home",
)

ALL = CRASHED.acts
CALM = (STEADY, SHOP, READ_BACK, JUDGE)
