"""Groups behind load balancers, by the AWS CLI and curl."""

from __future__ import annotations

import base64
import http.client
import json
import signal
import subprocess
import unittest
from concurrent.futures import Future, ThreadPoolExecutor

from .lab import Lab, Refused, shared, until
from .load import Load
from .traces import traces

WEB = """#cloud-config
write_files:
- path: /opt/web.py
  content: |
    import http.server, os, socket, time
    class Web(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            if self.path == "/slow":
                open("/run/asked", "w").close()
                time.sleep(3)
            sick = self.path == "/health" and os.path.exists("/run/sick")
            body = (socket.gethostname() + "\\n").encode()
            self.send_response(503 if sick else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *_):
            pass
    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 256
    Server(("", 80), Web).serve_forever()
runcmd:
- systemd-run --unit=web python3 /opt/web.py
"""


class Site:
    """A load balancer, a target group, and a group of instances that serve."""

    def __init__(self, lab: Lab, name: str, count: int, kind: str = "application", delay: int = 5) -> None:
        self.lab, self.name = lab, name
        vpc = lab.aws("ec2", "describe-vpcs")["Vpcs"][0]["VpcId"]
        groups = []
        if kind == "application":
            self.front, self.servers = (self.security(f"{name}-{role}", vpc) for role in ("front", "servers"))
            lab.let_in(f"{name}-front", 80)
            lab.let_in(f"{name}-servers", 80, "--source-group", self.front)
            groups = ["--security-groups", self.front]
        else:
            # It has none, and its targets cannot name it.
            self.front, self.servers = None, self.security(f"{name}-servers", vpc)
            lab.let_in(f"{name}-servers", 80, "--cidr", lab.described["cidr"])
        data = {
            "ImageId": lab.base(),
            "InstanceType": "t3.micro",
            "SecurityGroupIds": [self.servers],
            "UserData": base64.b64encode(WEB.encode()).decode(),
            "MetadataOptions": {"HttpTokens": "required"},
        }
        template = lab.aws(
            *("ec2", "create-launch-template", "--launch-template-name", name),
            *("--launch-template-data", json.dumps(data)),
        )
        self.template = template["LaunchTemplate"]["LaunchTemplateId"]
        subnets = [s["SubnetId"] for s in lab.aws("ec2", "describe-subnets")["Subnets"]]
        front = lab.aws("elbv2", "create-load-balancer", "--name", name, "--type", kind, *groups, "--subnets", *subnets)
        self.balancer = front["LoadBalancers"][0]["LoadBalancerArn"]
        # First, because the CLI's waiter asks every 15 s.
        until(lambda: {b["name"]: b["state"] for b in lab.own("status")["balancers"]}[name] == "active", 60)
        lab.aws("elbv2", "wait", "load-balancer-available", "--names", name)
        self.address = front["LoadBalancers"][0]["DNSName"]
        protocol = "HTTP" if kind == "application" else "TCP"
        group = lab.aws(
            *("elbv2", "create-target-group", "--name", name, "--protocol", protocol, "--port", "80", "--vpc-id", vpc),
            *("--health-check-protocol", "HTTP", "--health-check-path", "/health"),
            *("--health-check-interval-seconds", "5", "--health-check-timeout-seconds", "2"),
            *("--healthy-threshold-count", "2", "--unhealthy-threshold-count", "2"),
        )
        self.group = group["TargetGroups"][0]["TargetGroupArn"]
        lab.aws(
            *("elbv2", "modify-target-group-attributes", "--target-group-arn", self.group),
            *("--attributes", f"Key=deregistration_delay.timeout_seconds,Value={delay}"),
        )
        lab.aws(
            *("elbv2", "create-listener", "--load-balancer-arn", self.balancer, "--protocol", protocol, "--port", "80"),
            *("--default-actions", f"Type=forward,TargetGroupArn={self.group}"),
        )
        lab.aws(
            *("autoscaling", "create-auto-scaling-group", "--auto-scaling-group-name", name, "--min-size", "0"),
            *("--max-size", "30", "--desired-capacity", str(count), "--vpc-zone-identifier", ",".join(subnets[:2])),
            *("--launch-template", f"LaunchTemplateId={self.template},Version=1", "--target-group-arns", self.group),
        )

    def security(self, name: str, vpc: str) -> str:
        """A security group that lets nobody in."""
        return self.lab.aws(
            *("ec2", "create-security-group", "--group-name", name, "--description", "acceptance", "--vpc-id", vpc),
        )["GroupId"]

    def scale(self, count: int) -> None:
        """Asks for so many instances."""
        self.lab.aws(
            *("autoscaling", "set-desired-capacity", "--auto-scaling-group-name", self.name),
            *("--desired-capacity", str(count)),
        )

    def targets(self) -> dict[str, str]:
        """States by instance, as the lab itself shows them: the CLI takes half a second to start."""
        (shown,) = [b for b in self.lab.own("status")["balancers"] if b["name"] == self.name]
        return dict(target.split() for target in shown["targets"])

    def settled(self, count: int) -> list[str]:
        """Waits until exactly so many targets are there, all healthy."""
        until(lambda: len(self.targets()) == count and set(self.targets().values()) <= {"healthy"}, 180)
        return list(self.targets())

    def curl(self, path: str = "/") -> str:
        """What `curl` prints."""
        argv = ["curl", "--silent", "--show-error", "--fail", "--max-time", "20", f"http://{self.address}{path}"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def host(self, instance: str) -> str:
        """The name that an instance answers with."""
        (found,) = [i for i in self.lab.own("status")["instances"] if i["id"] == instance]
        return "ip-" + found["address"].replace(".", "-")

    def run_in(self, instance: str, script: str) -> None:
        """Runs a script as root in an instance."""
        argv = self.lab.own(f"console/{instance}")["argv"]
        subprocess.run([*argv, "-c", script], check=True, stdin=subprocess.DEVNULL)

    def remove(self) -> None:
        """Deletes everything and waits until it is gone."""
        self.lab.aws(
            *("autoscaling", "delete-auto-scaling-group", "--auto-scaling-group-name", self.name, "--force-delete"),
        )
        self.lab.aws("elbv2", "delete-load-balancer", "--load-balancer-arn", self.balancer)
        self.lab.aws("elbv2", "delete-target-group", "--target-group-arn", self.group)
        self.lab.aws("ec2", "delete-launch-template", "--launch-template-id", self.template)
        until(lambda: self.name not in self.lab.own("status")["groups"], 120)
        # The last instance has gone: nobody has its group.
        for group in filter(None, (self.servers, self.front)):
            self.lab.aws("ec2", "delete-security-group", "--group-id", group)


class Balancing(unittest.TestCase):
    def test_the_life_of_a_group_behind_an_application_balancer(self) -> None:
        lab = shared()
        before = traces(lab)
        site = Site(lab, "life", 2)
        one, two = site.settled(2)
        load = Load(site.address, 50)
        # It is told a moment after its health is known.
        until(lambda: {site.curl() for _ in range(6)} == {site.host(one), site.host(two)}, 10)

        # Sick: no traffic, though it answers.
        site.run_in(one, "touch /run/sick")
        until(lambda: site.targets()[one] == "unhealthy", 60)
        shown = lab.aws("elbv2", "describe-target-health", "--target-group-arn", site.group)["TargetHealthDescriptions"]
        (sick,) = [d["TargetHealth"] for d in shown if d["Target"]["Id"] == one]
        self.assertEqual(sick["Description"], "Health checks failed with these codes: [503]")
        self.assertEqual({site.curl() for _ in range(6)}, {site.host(two)})
        site.run_in(one, "rm /run/sick")
        until(lambda: site.targets()[one] == "healthy", 60)

        # Drained: what it was asked before is answered, and nothing more.
        with ThreadPoolExecutor(8) as pool:
            slow: list[Future[str]] = [pool.submit(site.curl, "/slow") for _ in range(4)]
            for instance in (one, two):
                site.run_in(instance, "until [ -e /run/asked ]; do sleep 0.02; done")
            lab.aws("elbv2", "deregister-targets", "--target-group-arn", site.group, "--targets", f"Id={one}")
            self.assertEqual(site.targets()[one], "draining")
            self.assertEqual({site.curl() for _ in range(6)}, {site.host(two)})
            self.assertEqual({answer.result() for answer in slow}, {site.host(one), site.host(two)})
        until(lambda: one not in site.targets(), 30)
        lab.aws("elbv2", "register-targets", "--target-group-arn", site.group, "--targets", f"Id={one}")
        site.settled(2)

        # Grown, and shrunk.
        site.scale(4)
        self.assertEqual(len(set(site.settled(4)) - {one, two}), 2)
        site.scale(2)
        left = site.settled(2)
        until(lambda: len(lab.own("status")["groups"]["life"]["instances"]) == 2, 60)
        load.stop()
        self.assertEqual(load.failed, [])

        # Killed by hand: replaced.
        lab.aws("ec2", "terminate-instances", "--instance-ids", left[0])
        until(lambda: left[0] not in site.targets() and len(site.targets()) == 2, 60)
        site.settled(2)
        activities = lab.aws("autoscaling", "describe-scaling-activities", "--auto-scaling-group-name", "life")["Activities"]
        self.assertTrue(any("EC2 health check" in a["Cause"] for a in activities))

        site.remove()
        with self.assertRaises(Refused):
            lab.aws("elbv2", "describe-load-balancers", "--names", "life")
        until(lambda: traces(lab) == before, 30)

    def test_two_balancers_side_by_side_each_with_its_own(self) -> None:
        lab = shared()
        web, raw = Site(lab, "web", 1), Site(lab, "raw", 1, "network")
        self.assertNotEqual(web.address, raw.address)
        (first,), (second,) = web.settled(1), raw.settled(1)
        self.assertEqual((web.curl(), raw.curl()), (web.host(first), raw.host(second)))
        line = next(line for line in lab.ask("status").splitlines() if web.address in line and "healthy" in line)
        self.assertIn("1/1 healthy", line)
        connection = http.client.HTTPConnection(raw.address, timeout=10)
        self.addCleanup(connection.close)
        web.remove()
        connection.request("GET", "/")
        self.assertEqual(connection.getresponse().read().decode().strip(), raw.host(second))
        raw.remove()

    def test_no_request_of_two_hundred_a_second_fails_while_twenty_instances_come_and_go(self) -> None:
        lab = shared()
        site = Site(lab, "many", 2)
        site.settled(2)
        load = Load(site.address, 200)
        site.scale(20)
        members = site.settled(20)
        for begin in (0, 10):
            some = [f"Id={instance}" for instance in members[begin : begin + 10]]
            lab.aws("elbv2", "deregister-targets", "--target-group-arn", site.group, "--targets", *some)
            until(lambda: list(site.targets().values()).count("draining") == 0, 60)
            lab.aws("elbv2", "register-targets", "--target-group-arn", site.group, "--targets", *some)
            site.settled(20)
        self.assertEqual(len(load.answers), 20)
        site.scale(3)
        site.settled(3)
        asked = load.stop()
        self.assertEqual(load.failed, [])
        self.assertGreater(asked, 200 * 20)
        site.remove()

    def test_a_killed_lab_with_a_balancer_is_swept(self) -> None:
        lab = Lab("front")
        self.addCleanup(lab.discard)
        site = Site(lab, "front", 1)
        site.settled(1)
        lab.process.send_signal(signal.SIGKILL)
        lab.process.wait()
        self.assertTrue(any("haproxy" in process for process in traces(lab)["processes"]))
        with self.assertRaises(AssertionError):
            Lab("front", lab.root, "--cidr", "no block")
        self.assertEqual(traces(lab), {})

    def test_a_lab_that_closes_takes_its_balancers_along(self) -> None:
        lab = Lab("closing", None, "--latency-divisor", "20")
        self.addCleanup(lab.discard)
        site = Site(lab, "closing", 2)
        site.settled(2)
        self.assertTrue(site.curl().startswith("ip-"))
        site.scale(3)
        lab.close()
        self.assertEqual(traces(lab), {})
