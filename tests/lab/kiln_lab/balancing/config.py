"""HAProxy's configuration for a load balancer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from .setup import READY, Action, Fixed, Forward, Listener, Pool, Redirect, Server, Setup

SOCKET = "socket"
NOBODY = 65534
SHARE = 100


def text(setup: Setup, address: str, folder: Path, slots: Mapping[str, Mapping[int, Server | None]]) -> str:
    """The configuration; what is too long for it goes to files in `folder`. `slots` says who is in which slot of a pool."""
    lines = [
        "global",
        f"    stats socket {folder / SOCKET} mode 600 level admin expose-fd listeners",
        f"    uid {NOBODY}",
        f"    gid {NOBODY}",
        "    maxconn 8000",
        "    nbthread 1",
        # Who reads the last byte of a request that the old process still has is not cut off.
        "    hard-stop-after 10m",
        "defaults",
        # A machine that is gone answers nothing at all: the next server is tried after this.
        "    timeout connect 1500ms",
        f"    timeout client {_ms(setup.idle)}",
        f"    timeout server {_ms(setup.idle)}",
        "    timeout queue 10s",
        "    retries 3",
        "    option redispatch 1",
    ]
    for listener in setup.listeners:
        lines += _frontend(listener, address, folder)
    for pool in setup.pools:
        lines += _backend(pool, slots[pool.name])
    return "\n".join(lines) + "\n"


def weight(server: Server) -> int:
    """HAProxy's share of a server: none for one that only ends what it has."""
    return SHARE if server.mode == READY else 0


def _frontend(listener: Listener, address: str, folder: Path) -> list[str]:
    bind = f"    bind {address}:{listener.port}"
    if listener.pem is not None:
        file = _file(folder, f"{listener.port}.pem", listener.pem)
        bind += f" ssl crt {file}" + (" alpn h2,http/1.1" if listener.http else "")
    name = f"l{listener.port}"
    if not listener.http:
        lines = [f"frontend {name}", "    mode tcp", bind]
        return lines + _use(listener.otherwise, "")
    lines = [
        f"frontend {name}",
        "    mode http",
        bind,
        "    option http-keep-alive",
        # A process that is replaced closes idle connections when they are used for the last time, not under a client's hands.
        "    option idle-close-on-response",
        "    option forwardfor",
        f"    http-request set-header X-Forwarded-Proto {'https' if listener.pem is not None else 'http'}",
        f"    http-request set-header X-Forwarded-Port {listener.port}",
        # Only what can be repeated without harm is sent to another server.
        "    http-request disable-l7-retry if !{ method GET HEAD OPTIONS PUT DELETE }",
    ]
    for number, rule in enumerate(listener.rules):
        names = []
        for index, condition in enumerate(rule.conditions):
            names.append(f"r{number}c{index}")
            lines += [f"    acl {names[-1]} {condition.sample} {_quoted(p)}" for p in condition.patterns]
        fits = " ".join(["!{ var(txn.rule) -m found }", *names])
        lines.append(f"    http-request set-var(txn.rule) int({number}) if {fits}")
    chosen: list[tuple[str, Action]] = [
        (f"{{ var(txn.rule) -m int {number} }}", rule.action) for number, rule in enumerate(listener.rules)
    ]
    chosen.append(("!{ var(txn.rule) -m found }", listener.otherwise))
    for number, (when, action) in enumerate(chosen):
        lines += _answer(action, when, lambda body, n=number: _file(folder, f"{name}-{n}.body", body))
    for when, action in chosen:
        lines += _use(action, when)
    return lines


def _answer(action: Action, when: str, keep: Callable[[str], Path]) -> list[str]:
    if isinstance(action, Fixed):
        file = keep(action.body)
        return [f"    http-request return status {action.status} content-type {_quoted(action.kind)} file {file} if {when}"]
    if isinstance(action, Redirect):
        return [f"    http-request redirect location {_quoted(action.location)} code {action.status} if {when}"]
    return []


def _use(action: Action, when: str) -> list[str]:
    """Shares are drawn one after another, each among what is left."""
    if not isinstance(action, Forward):
        return []
    lines = []
    pools = [(name, share) for name, share in action.pools if share > 0]
    left = sum(share for _, share in pools)
    for name, share in pools:
        condition = " ".join(filter(None, [when, f"{{ rand({left}) lt {share} }}" if share < left else ""]))
        lines.append(f"    use_backend {name} if {condition}" if condition else f"    default_backend {name}")
        left -= share
    return lines


def _backend(pool: Pool, slots: Mapping[int, Server | None]) -> list[str]:
    lines = [f"backend {pool.name}", f"    mode {'http' if pool.http else 'tcp'}"]
    lines.append(f"    balance {'leastconn' if pool.least else 'roundrobin'}")
    if pool.http:
        lines += ["    option http-keep-alive", "    retry-on conn-failure empty-response"]
    options = " ssl verify none" if pool.tls else ""
    for number, server in sorted(slots.items()):
        if server is None:
            lines.append(f"    server s{number} 0.0.0.0:1{options} weight 0 disabled")
        else:
            lines.append(f"    server s{number} {server.address}:{server.port}{options} weight {weight(server)}")
    return lines


def _file(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    return path


def _quoted(word: str) -> str:
    """One word of the configuration, whatever it holds."""
    return "'" + word.replace("'", "'\\''").replace("\n", " ") + "'"


def _ms(seconds: float) -> str:
    return f"{max(int(seconds * 1000), 1)}ms"
