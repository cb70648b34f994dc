"""What an instance's machine is told about itself."""

from __future__ import annotations

from typing import Any

from .instance import LabInstance


def machine_of(instance: LabInstance) -> Any:
    """The machine that the instance's present attributes describe: user data and type can change while it is stopped."""
    backend = instance.ec2_backend
    key = backend.key_pairs.get(instance.key_name)
    return backend.plane.reality.machine(
        instance_id=instance.id,
        root_volume_id=instance.root_volume_id,
        address=instance.private_ip_address,
        hostname=instance.private_dns_name,
        instance_type=instance.instance_type,
        public_keys=[_authorized(key.public_key, key.key_name)] if key else [],
        user_data=instance.user_data_bytes,
        metadata=metadata_of(instance),
    )


def metadata_of(instance: LabInstance) -> dict[str, str]:
    """Facts of the instance metadata service by their paths, beyond those that a machine has fields for."""
    backend = instance.ec2_backend
    interface = instance.nics[0]
    groups = instance.security_groups
    shown = {
        "account-id": backend.account_id,
        "http-tokens": instance.metadata_options.http_tokens,
        "key-name": instance.key_name or "",
        "ami-id": instance.image_id,
        "ami-launch-index": str(instance.ami_launch_index),
        "block-device-mapping/ami": instance.root_device_name,
        "block-device-mapping/root": instance.root_device_name,
        "placement/availability-zone": instance.placement.zone,
        "placement/region": backend.region_name,
        "reservation-id": instance.reservation_id,
        "security-groups": "\n".join(group.name for group in groups),
    }
    if instance.public_ip:
        shown["public-ipv4"] = instance.public_ip
    folder = f"network/interfaces/macs/{interface.mac_address}"
    block = backend.get_vpc(instance.vpc_id).cidr_block
    shown |= {
        f"{folder}/interface-id": interface.id,
        f"{folder}/owner-id": backend.account_id,
        f"{folder}/security-group-ids": "\n".join(group.id for group in groups),
        f"{folder}/security-groups": "\n".join(group.name for group in groups),
        f"{folder}/subnet-id": interface.subnet.id,
        f"{folder}/subnet-ipv4-cidr-block": interface.subnet.cidr_block,
        f"{folder}/vpc-id": instance.vpc_id,
        f"{folder}/vpc-ipv4-cidr-block": block,
        f"{folder}/vpc-ipv4-cidr-blocks": block,
    }
    if instance.metadata_options.instance_metadata_tags == "enabled":
        shown |= {f"tags/instance/{tag['key']}": tag["value"] for tag in instance.get_tags()}
    return shown


def _authorized(public_key: str, name: str) -> str:
    """The line of `authorized_keys`: EC2 puts the key pair's name where a comment goes."""
    parts = public_key.split()
    return f"{parts[0]} {parts[1]} {name}"
