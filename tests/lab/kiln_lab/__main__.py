"""`python -m kiln_lab`: brings a lab up, and asks one that is up."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import ask
from .errors import LabError

STATE = Path("/var/lib/kiln-lab")
CACHE = Path("/var/cache/kiln-lab")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="kiln_lab", description="A small EC2 on one machine, whose instances are real.")
    commands = parser.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="bring a lab up, in the foreground, until SIGINT or SIGTERM")
    serve.add_argument("--cache", type=Path, default=CACHE, help="Debian roots and packages, shared by labs")
    serve.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one if not given")
    serve.add_argument("--cidr", help="block of the lab's network; a free one of 172.16.0.0/12 if not given")
    serve.add_argument("--region", default="eu-west-1", help="the region of its environment; others are there too")
    serve.add_argument("--suite", action="append", help="Debian suite to offer as base image (default: bookworm)")
    serve.add_argument("--no-default-vpc", action="store_true", help="an account that deleted its default VPC")
    serve.add_argument("--latency-divisor", type=float, default=0, metavar="N", help="EC2's latencies divided by N; 0: none")
    serve.add_argument("--visibility", type=float, default=0, metavar="SECONDS", help="new objects are seen late, at most by this")
    serve.add_argument("--throttle", type=float, default=0, metavar="P", help="probability that a call is throttled")
    serve.add_argument("--seed", type=int, default=0, help="from which all chance is drawn")

    status = commands.add_parser("status", help="labs and their instances")
    env = commands.add_parser("env", help="the variables that point AWS tools at the lab")
    console = commands.add_parser("console", help="a root shell in an instance")
    console.add_argument("instance", help="its id")
    for command in (serve, status, env, console):
        command.add_argument("--state", type=Path, default=STATE, help="folder of all labs' states")
        command.add_argument("--name", default="default", help="the lab's name")
    return parser


def main() -> int:
    """Runs a command; 0 done, 1 failed."""
    options = arguments().parse_args()
    try:
        if options.command == "serve":
            # moto takes a second to import: only the server pays for it.
            from .serve import serve

            return serve(options)
        return ask.COMMANDS[options.command](options)
    except LabError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
