"""A crowd too large for one process and one object a request.

Tens of thousands of shoppers stand in line before a few kept-alive connections. They live in
processes of their own, which keep a few dozen bytes a request; the driver only orders the phases,
follows the counts, and gets a history of one line a cart at the end.

It is a *closed* crowd: whoever is at the head of the line goes as soon as a connection is free, so
the site is as busy as it can be, and the run takes as long as the machine needs. Latencies are
therefore those of a site at its limit, without the time spent in line; for waiting that counts,
the open arrivals of ``lab.workload.plan`` are there.
"""
