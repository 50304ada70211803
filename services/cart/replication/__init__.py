"""Copies of carts on other servers, without a store: what ``replicated`` is made of.

``rank`` (who keeps the copies of a session), ``merge`` (what becomes of two that went apart) and
``message`` (what is sent) only compute; ``plane`` is the door that other servers knock at, ``peers``
the way to theirs.
"""
