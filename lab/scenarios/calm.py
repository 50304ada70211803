"""The control: the same shoppers and nothing breaks. Sticky is not wrong as long as nothing dies."""

from __future__ import annotations

from lab.scenario import Prediction, Scenario

CALM = Scenario(
    name="calm",
    title="Nothing breaks",
    question="With no failure at all, does either design lose a cart?",
    predictions=(
        Prediction("neither does"),
        Prediction("sticky loses some: it is unsafe", "a risk is taken for a loss"),
        Prediction("stateless loses some: it has no state", "stateless is taken for without state"),
    ),
    faults=(),
    tests=(),
    claims=("C30", "C05", "C16", "C40"),
    what_breaks="nothing: the control run",
    what_you_see="both arms keep every cart",
    what_you_learn="sticky sessions work, until a server leaves; an experiment needs a control",
    lesson=(
        "Sticky sessions are not broken by themselves: while every server lives, they lose nothing. "
        "What they cost shows on the day a server leaves."
    ),
    hint="If a cart is lost here, distrust the lab before you distrust the design: look at log/ of the run.",
)
