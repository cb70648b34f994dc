"""The data plane of load balancers: HAProxy on an address of its own, and the health checks that it makes.

It is told what is to be (`setup`) and makes the running HAProxy so (`haproxy`), without breaking what is under way. It knows
nothing of target groups, thresholds or delays: those are the control plane's.
"""
