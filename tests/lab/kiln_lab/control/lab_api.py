"""The lab's own endpoint, `/_lab/…`: what a test asks and changes while the lab runs.

    GET  /_lab/status              instances, images, snapshots, volumes, balancers, groups; how many calls were made
    GET  /_lab/calls?since=MARK    the calls after MARK (0: all), and the next mark
    GET  /_lab/console/INSTANCE    the argv of a root shell in the instance's machine
    GET  /_lab/misbehaviour        what the lab does on purpose
    POST /_lab/misbehaviour        changes it: a JSON object with some of the members that GET shows
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from moto.autoscaling.models import autoscaling_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.elbv2.models import elbv2_backends

from ..errors import LabError
from .calls import Calls
from .latency import Latency
from .plane import Plane
from .regions import regions
from .throttle import Throttle
from .visibility import Visibility


class LabApi:
    """Answers in JSON; errors are `{"error": …}` with status 400 or 404."""

    def __init__(self, plane: Plane, calls: Calls) -> None:
        self._plane = plane
        self._calls = calls

    def answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body for one request."""
        parts = path.removeprefix("/_lab/").strip("/").split("/")
        try:
            match method, parts:
                case "GET", ["status"]:
                    status, value = 200, self._status()
                case "GET", ["calls"]:
                    status, value = 200, self._calls.since(int(parse_qs(query).get("since", ["0"])[0]))
                case "GET", ["console", instance]:
                    status, value = 200, {"argv": self._plane.reality.machines.enter(instance)}
                case "GET", ["misbehaviour"]:
                    status, value = 200, self.misbehaviour()
                case "POST", ["misbehaviour"]:
                    self.misbehave(json.loads(body))
                    status, value = 200, self.misbehaviour()
                case _:
                    status, value = 404, {"error": f"the lab has no `{method} {path}`"}
        except (LabError, ValueError) as error:
            status, value = 400, {"error": str(error)}
        return status, [("Content-Type", "application/json")], json.dumps(value).encode() + b"\n"

    def misbehaviour(self) -> dict[str, Any]:
        """What the lab does on purpose now."""
        plane = self._plane
        return {
            "latency_divisor": plane.latency.divisor,
            "visibility": plane.visibility.seconds,
            "throttle": plane.throttle.probability,
            "seed": plane.misbehaviour.seed,
            "expired_credentials": plane.misbehaviour.expired_credentials,
            "no_capacity": sorted(plane.misbehaviour.no_capacity),
        }

    def misbehave(self, change: dict[str, Any]) -> None:
        """Changes some of it. All draws begin anew from the seed.

        Raises `ValueError` for a member that there is not, or a value that does not fit.
        """
        wanted = self.misbehaviour()
        unknown = change.keys() - wanted.keys()
        if unknown:
            raise ValueError(f"no such misbehaviour: {', '.join(f'`{u}`' for u in sorted(unknown))}")
        wanted |= change
        if not 0 <= float(wanted["throttle"]) <= 1:
            raise ValueError("`throttle` is a probability between 0 and 1")
        if float(wanted["latency_divisor"]) < 0 or float(wanted["visibility"]) < 0:
            raise ValueError("`latency_divisor` and `visibility` cannot be negative")
        plane, seed = self._plane, int(wanted["seed"])
        with plane.lock:
            plane.misbehaviour.seed = seed
            plane.misbehaviour.expired_credentials = bool(wanted["expired_credentials"])
            plane.misbehaviour.no_capacity = set(wanted["no_capacity"])
            plane.latency = Latency(float(wanted["latency_divisor"]))
            plane.visibility = Visibility(float(wanted["visibility"]), seed)
            plane.throttle = Throttle(float(wanted["throttle"]), seed)

    def _status(self) -> dict[str, Any]:
        with self._plane.lock:
            instances = [
                {
                    "id": instance.id,
                    "region": region.region_name,
                    "state": instance.state,
                    "address": (instance.private_ip_address or "") if instance.nics else "",
                    "type": instance.instance_type,
                    "image": instance.image_id,
                    "name": next((t["value"] for t in instance.get_tags() if t["key"] == "Name"), ""),
                }
                for region in regions()
                for instance in region.all_instances()
            ]
            return {
                "instances": instances,
                "images": {i.id: i.name for region in regions() for i in region.amis.values()},
                "snapshots": {s.id: s.status for region in regions() for s in region.snapshots.values()},
                "volumes": {v.id: v.status for region in regions() for v in region.volumes.values()},
                "balancers": self._balancers(),
                "groups": {
                    group.name: {"desired": group.desired_capacity, "instances": [m.instance.id for m in group.instances]}
                    for region in autoscaling_backends[DEFAULT_ACCOUNT_ID].values()
                    for group in region.autoscaling_groups.values()
                },
                "calls": self._calls.since(0)["mark"],
            }

    def _balancers(self) -> list[dict[str, Any]]:
        return [
            {
                "name": balancer.name,
                "region": elb.region_name,
                "type": balancer.type,
                "state": balancer.state,
                "address": balancer.address,
                "ports": sorted(int(listener.port) for listener in balancer.listeners.values()),
                "targets": [
                    f"{shown['Target']['Id']} {shown['TargetHealth']['State']}"
                    for group in elb.target_groups.values()
                    if balancer.arn in group.load_balancer_arns
                    for shown in group.shown([])
                ],
            }
            for elb in elbv2_backends[DEFAULT_ACCOUNT_ID].values()
            for balancer in elb.load_balancers.values()
        ]
