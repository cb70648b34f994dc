"""What rules of listeners say in ELB's words is what the running load balancer does."""

from __future__ import annotations

import unittest
from types import SimpleNamespace
from typing import Any

from kiln_lab.balancing.setup import Fixed, Listener
from kiln_lab.control.balancing import rules

from .test_balancers import BalancersCase


def action(**data: Any) -> list[Any]:
    """As moto keeps it."""
    return [SimpleNamespace(data=data)]


def says(text: str) -> list[Any]:
    return action(Type="fixed-response", FixedResponseConfig={"StatusCode": "200", "MessageBody": text})


class Rules(BalancersCase):
    def serve(self, *wanted: tuple[dict[str, Any], list[Any]]) -> None:
        """Rules, in this order."""
        made = tuple(
            rules.rule_of(SimpleNamespace(conditions=[condition], actions=actions), str) for condition, actions in wanted
        )
        self.apply(listeners=(Listener(80, True, None, made, Fixed(404, "text/plain", "nobody")),), pools=())

    def test_each_kind_of_condition_tells_requests_apart(self) -> None:
        self.serve(
            ({"Field": "path-pattern", "Values": ["/a.b/?"]}, says("path")),
            ({"Field": "host-header", "HostHeaderConfig": {"Values": ["*.Example.com", "other"]}}, says("host")),
            ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Which", "Values": ["it's*"]}}, says("header")),
            ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST", "PUT"]}}, says("method")),
            ({"Field": "source-ip", "SourceIpConfig": {"Values": ["198.51.100.0/24"]}}, says("elsewhere")),
        )
        self.assertEqual(self.ask("/a.b/c")[1], "path")
        self.assertEqual(self.ask("/aXb/c")[:2], (404, "nobody"), "a dot is a dot")
        self.assertEqual(self.ask("/a.b/cc")[1], "nobody")
        self.assertEqual(self.ask(Host="www.example.com:8080")[1], "host")
        self.assertEqual(self.ask(Host="another")[1], "nobody")
        self.assertEqual(self.ask(**{"X-Which": "it's this, and that"})[1], "header")

    def test_a_source_address_is_one_of_a_block(self) -> None:
        block = f"{self.network.gateway}/32"
        self.serve(({"Field": "source-ip", "SourceIpConfig": {"Values": ["198.51.100.0/24", block]}}, says("from here")))
        self.assertEqual(self.ask()[1], "from here")

    def test_a_redirect_keeps_what_it_does_not_name(self) -> None:
        config = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
        moved = {"Host": "new.example", "Path": "/moved#{path}", "Query": "", "StatusCode": "HTTP_302"}
        self.serve(
            ({"Field": "host-header", "Values": ["old.example"]}, action(Type="redirect", RedirectConfig=moved)),
            ({"Field": "path-pattern", "Values": ["*"]}, action(Type="redirect", RedirectConfig=config)),
        )
        status, _, headers = self.ask("/x/y?z=1", Host="here.example:80")
        self.assertEqual((status, headers["location"]), (301, "https://here.example:443/x/y?z=1"))
        status, _, headers = self.ask("/x?z=1", Host="old.example")
        self.assertEqual((status, headers["location"]), (302, "http://new.example:80/moved/x"))


if __name__ == "__main__":
    unittest.main()
