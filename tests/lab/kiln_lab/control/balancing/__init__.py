"""Elastic Load Balancing: load balancers, listeners, target groups, and the health of targets.

Requests change moto's objects; `serving` tells the data plane what follows, and takes the outcomes of its health checks.
Reading order: `target`, `target_group`, `load_balancer`, `rules`, `plan`, `serving`, `backend`, `responses`.
"""
