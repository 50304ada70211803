"""A balancer that is not ours, HAProxy or nginx, in our balancer's place.

``python -m lab.cluster.foreign`` starts it, tells it where the servers are, and speaks for it on our
balancer's admin API, as far as the other one knows the answers. Whoever uses a site need not know
which balancer stands in front of it.
"""
