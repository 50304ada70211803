"""The soak: one site under steady load and random faults, every cart judged, window after window.

A window is one crowd's whole life: its people shop while faults come and go, everything is healed,
and every cart is read back and judged. Then it is forgotten, so a long soak needs no more memory than a
short one. The dice of window n are those of the seed and n: it is the same window in every soak.
"""
