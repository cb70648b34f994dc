"""The metadata service speaks IMDSv1 and IMDSv2, to those whom it knows."""

from __future__ import annotations

import http.client
import json
import socket
import unittest
from unittest import mock

from kiln_lab import metadata
from kiln_lab.cloud_seed import texts
from kiln_lab.metadata import Metadata, Page

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


class Service(unittest.TestCase):
    def setUp(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self.service = Metadata(listening)
        self.addCleanup(self.service.close)

    def publish(self, required: bool = False, user_data: bytes = b"", account: str = "000000000000") -> None:
        shown = {"placement/region": "eu-central-1", "key-name": "mine", "ami-id": "ami-1", "account-id": account}
        tree = texts("i-1", "172.20.0.9", "ip-172-20-0-9", "t3.micro", ["ssh-ed25519 AAAA\n"], user_data, shown)
        self.service.publish("127.0.0.1", Page(tree, required))

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> str:
        status, body = self.ask(path)
        self.assertEqual(status, 200, path)
        return body.decode()

    def test_folders_list_what_is_in_them(self) -> None:
        self.publish()
        self.assertEqual(self.get("/latest"), "dynamic\nmeta-data")
        self.assertIn("network/", self.get("/latest/meta-data/").split("\n"))
        self.assertEqual(self.get("/latest/meta-data/placement"), "availability-zone\nregion")
        self.assertEqual(self.get("/latest/meta-data/public-keys/"), "0=mine")
        self.assertEqual(self.get("/latest/meta-data/public-keys/0/"), "openssh-key")
        hardware = self.get("/latest/meta-data/mac")
        self.assertEqual(self.get("/latest/meta-data/network/interfaces/macs/"), f"{hardware}/")
        self.assertEqual(self.get("/2021-03-23/meta-data/instance-id"), "i-1")
        self.assertEqual(self.get("/latest/meta-data/placement/availability-zone"), "eu-central-1a")

    def test_user_data_arrives_byte_for_byte_or_is_not_found(self) -> None:
        self.publish()
        self.assertEqual(self.ask("/latest/user-data")[0], 404)
        body = bytes(range(256))
        self.publish(user_data=body)
        self.assertEqual(self.ask("/latest/user-data"), (200, body))
        self.assertEqual(self.get("/latest"), "dynamic\nmeta-data\nuser-data")

    def test_identity_document_is_of_this_instance(self) -> None:
        self.publish(account="123456789012")
        document = json.loads(self.get("/latest/dynamic/instance-identity/document"))
        wanted = {"instanceId": "i-1", "imageId": "ami-1", "region": "eu-central-1", "accountId": "123456789012"}
        self.assertEqual({name: document[name] for name in wanted}, wanted)

    def test_what_is_not_there_is_not_found(self) -> None:
        self.publish()
        for path in ("/latest/meta-data/iam/", "/latest/key-names/0", "/latest/meta-data/http-tokens", "/other/meta-data"):
            self.assertEqual(self.ask(path)[0], 404, path)

    def test_stranger_is_told_nothing(self) -> None:
        self.publish()
        self.service.withdraw("127.0.0.1")
        self.assertEqual(self.ask("/latest/meta-data/instance-id")[0], 404)
        self.assertEqual(self.ask("/latest/api/token", "PUT", **{TTL: "60"})[0], 404)

    def test_token_is_demanded_where_it_is_required(self) -> None:
        self.publish(required=True)
        path = "/latest/meta-data/instance-id"
        self.assertEqual(self.ask(path)[0], 401)
        status, token = self.ask("/latest/api/token", "PUT", **{TTL: "60"})
        self.assertEqual(status, 200)
        self.assertEqual(self.ask(path, **{TOKEN: token.decode()}), (200, b"i-1"))
        later = metadata.time.monotonic() + 61
        with mock.patch.object(metadata.time, "monotonic", return_value=later):
            self.assertEqual(self.ask(path, **{TOKEN: token.decode()})[0], 401)

    def test_wrong_token_is_refused_where_none_is_required(self) -> None:
        self.publish()
        self.assertEqual(self.ask("/latest/meta-data/instance-id", **{TOKEN: "wrong"})[0], 401)

    def test_token_needs_a_lifetime_and_no_proxy(self) -> None:
        self.publish()
        for lifetime in ("", "0", "21601", "long"):
            self.assertEqual(self.ask("/latest/api/token", "PUT", **{TTL: lifetime})[0], 400, lifetime)
        self.assertEqual(self.ask("/latest/api/token", "PUT", X_Forwarded_For="172.20.0.9", **{TTL: "60"})[0], 403)


if __name__ == "__main__":
    unittest.main()
