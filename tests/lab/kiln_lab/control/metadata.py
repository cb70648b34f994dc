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
        public_keys=[f"{key.public_key.strip()}"] if key else [],
        user_data=instance.user_data_bytes,
        metadata=metadata_of(instance),
    )


def metadata_of(instance: LabInstance) -> dict[str, Any]:
    """The instance metadata service's facts beyond those that a machine has fields for."""
    backend = instance.ec2_backend
    interface = instance.nics[0]
    return {
        "account-id": backend.account_id,
        "ami-id": instance.image_id,
        "ami-launch-index": instance.ami_launch_index,
        "architecture": instance.architecture,
        "availability-zone": instance.placement.zone,
        "http-tokens": instance.metadata_options.http_tokens,
        "key-name": instance.key_name,
        "mac": interface.mac_address,
        "interface-id": interface.id,
        "public-ipv4": instance.public_ip,
        "region": backend.region_name,
        "reservation-id": instance.reservation_id,
        "security-groups": [group.name for group in instance.security_groups],
        "subnet-id": instance.subnet_id,
        "subnet-cidr": interface.subnet.cidr_block,
        "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()}
        if instance.metadata_options.instance_metadata_tags == "enabled"
        else {},
        "vpc-id": instance.vpc_id,
        "vpc-cidr": backend.get_vpc(instance.vpc_id).cidr_block,
    }
