"""What a machine is told about itself: the tree that the metadata service shows it.

The names are EC2's ("Instance metadata categories" in its user guide). Nothing here reaches the machine by another way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from .network import mac

# Understood in `metadata` beside paths.
TOKENS = "http-tokens"
KEY_NAME = "key-name"
ACCOUNT = "account-id"


def texts(
    instance_id: str,
    address: str,
    hostname: str,
    instance_type: str,
    public_keys: Sequence[str],
    user_data: bytes,
    metadata: Mapping[str, str],
) -> dict[str, bytes]:
    """Every text by its path below a version.

    `metadata` adds to and replaces paths below `meta-data/`; four of its names are more than that: `placement/region` and
    `placement/availability-zone` reach the identity document too, `key-name` names the first public key, `account-id` the
    account; `http-tokens` is not shown.
    """
    region = metadata.get("placement/region", "eu-west-1")
    zone = metadata.get("placement/availability-zone", f"{region}a")
    hardware = mac(address)
    shown = {
        "ami-launch-index": "0",
        "hostname": hostname,
        "instance-action": "none",
        "instance-id": instance_id,
        "instance-life-cycle": "on-demand",
        "instance-type": instance_type,
        "local-hostname": hostname,
        "local-ipv4": address,
        "mac": hardware,
        f"network/interfaces/macs/{hardware}/device-number": "0",
        f"network/interfaces/macs/{hardware}/local-hostname": hostname,
        f"network/interfaces/macs/{hardware}/local-ipv4s": address,
        f"network/interfaces/macs/{hardware}/mac": hardware,
        "placement/availability-zone": zone,
        "placement/region": region,
        "profile": "default-hvm",
        "services/domain": "amazonaws.com",
        "services/partition": "aws",
        "system": "nitro",
    }
    shown.update({path: text for path, text in metadata.items() if path not in (TOKENS, KEY_NAME, ACCOUNT)})
    tree = {f"meta-data/{path}": str(text).encode() for path, text in shown.items()}
    for number, key in enumerate(public_keys):
        tree[f"meta-data/public-keys/{number}/openssh-key"] = key.strip().encode() + b"\n"
    if public_keys and KEY_NAME in metadata:
        tree["key-names/0"] = metadata[KEY_NAME].encode()
    if user_data:
        tree["user-data"] = user_data
    document = {
        "accountId": metadata.get(ACCOUNT, "000000000000"),
        "architecture": "x86_64",
        "availabilityZone": zone,
        "imageId": metadata.get("ami-id"),
        "instanceId": instance_id,
        "instanceType": instance_type,
        "pendingTime": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "privateIp": address,
        "region": region,
        "version": "2017-09-30",
    }
    tree["dynamic/instance-identity/document"] = json.dumps(document, indent=2).encode()
    return tree
