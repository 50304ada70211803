"""The control: the same shoppers and nothing breaks. Sticky is not wrong as long as nothing dies."""

from __future__ import annotations

from lab.scenario import Scenario

CALM = Scenario(
    name="calm",
    title="Nothing breaks",
    question="With no failure at all, does either design lose a cart?",
    fault=None,
    expect={"*": "kept"},
    claims=("C30",),
    what_breaks="nothing: the control run",
    what_you_see="both arms keep every cart",
    what_you_learn="sticky sessions work, until a server leaves; an experiment needs a control",
    lesson=(
        "Sticky sessions are not broken by themselves: while every server lives, they lose nothing. "
        "What they cost shows on the day a server leaves."
    ),
    hint="If a cart is lost here, distrust the lab before you distrust the design: look at log/ of the run.",
)
