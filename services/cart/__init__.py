"""One cart server: ``python -m services.cart``.

From the pure rules outwards: ``model`` (what may happen to a cart), ``catalogue`` (what is sold
and for how much), ``session`` (whose cart it is), ``strategies`` (where carts live), ``shop``
(the three put together), ``api``, ``health``, ``chaos`` and ``page`` (their HTTP), ``envelope``
(what every answer carries), ``app`` (one application), ``wire`` (HTTP below it), ``server`` (one
process), ``cli`` (its flags). ``store`` is the one door to Redis or Valkey, ``replication`` the one
to other servers; ``recommend`` is what a shop computes beside its carts.
"""
