"""Commands that ask a lab which is up: `status`, `env`, `console`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import LabError

DESCRIPTION = "lab.json"
"""The file in a lab's state folder that says where it listens; it is there while the lab is up."""


def described(state: Path, name: str) -> dict[str, Any]:
    """What the lab wrote about itself when it was ready."""
    try:
        return json.loads((state / name / DESCRIPTION).read_text("utf-8"))
    except FileNotFoundError:
        raise LabError(f"no lab `{name}` is up", "start it with `cargo xtask lab up`") from None


def exports(lab: dict[str, Any]) -> str:
    """Shell lines that point any AWS tool at the lab."""
    return "".join(f"export {name}={value}\n" for name, value in sorted(lab["environment"].items()))


def call(lab: dict[str, Any], path: str) -> Any:
    """Asks the lab's own endpoint."""
    try:
        with urllib.request.urlopen(f"{lab['endpoint']}/_lab/{path}", timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise LabError(json.load(error)["error"]) from None
    except OSError as error:
        raise LabError(
            f"lab `{lab['name']}` does not answer: {error}", "bring it up again: that sweeps what it left"
        ) from None


def status(options: argparse.Namespace) -> int:
    """One line for each lab, one for each of its instances and load balancers."""
    names = sorted(p.parent.name for p in options.state.glob(f"*/{DESCRIPTION}"))
    if not names:
        sys.stdout.write("no lab is up\n")
    for name in names:
        lab = described(options.state, name)
        try:
            seen = call(lab, "status")
        except LabError as error:
            sys.stdout.write(f"{name}  {error}\n")
            continue
        sys.stdout.write(f"{name}  {lab['endpoint']}  {lab['region']}  {lab['cidr']}  {seen['calls']} calls\n")
        for instance in seen["instances"]:
            sys.stdout.write(
                "  {id}  {state:<13} {address:<15} {type:<10} {image}  {name}\n".format(**instance).rstrip() + "\n"
            )
        for balancer in seen["balancers"]:
            ports = " ".join(f"{balancer['address']}:{port}" for port in balancer["ports"])
            targets = f"{sum(t.endswith(' healthy') for t in balancer['targets'])}/{len(balancer['targets'])} healthy"
            sys.stdout.write(f"  {balancer['name']}  {balancer['state']}  {ports}  {targets}\n")
    return 0


def env(options: argparse.Namespace) -> int:
    """The exports of one lab."""
    sys.stdout.write(exports(described(options.state, options.name)))
    return 0


def console(options: argparse.Namespace) -> int:
    """Becomes a root shell in the instance."""
    argv = call(described(options.state, options.name), f"console/{options.instance}")["argv"]
    os.execvp(argv[0], argv)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {"status": status, "env": env, "console": console}
