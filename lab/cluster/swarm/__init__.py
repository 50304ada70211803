"""The same sites on Docker Swarm: servers are tasks of one service, and Swarm itself replaces a dead one.

Imported only where ``--swarm`` is asked for, or where left-overs of such a run are looked for.
"""
