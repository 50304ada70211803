"""The TCP fault proxy: named links between the programs of one arm, each of which can be disturbed.

It needs no root and no packet filter, for it stands in the middle: who wants to be disturbed is
given a link's address instead of the other side's. A run whose faults need no link has none, so
that it pays nothing. What is disturbed belongs to a connection on the control socket and ends with
it, so that healing needs nobody alive who remembers it.
"""
