from __future__ import annotations

from services.cart.cli import main

main(prog_name="python -m services.cart")
