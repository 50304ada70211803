"""The programs that shoppers talk to. Nothing in here knows the balancer or the lab."""
