"""A small EC2 on one machine, whose instances are booted Debians.

`control` is the control plane (moto, with effects); the modules beside it are what it acts on: networks, volumes, machines.
"""
