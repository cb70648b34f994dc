"""From a launch template, or a launch configuration, to the instance that a group starts."""

from __future__ import annotations

from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG
from moto.core.exceptions import ServiceException
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.utils import convert_tag_spec, filter_iam_instance_profiles


def template_of(group: Any) -> dict[str, Any] | None:
    """The launch template's version that the group launches from now, as members show it."""
    template = group.ec2_launch_template
    if template is None:
        return None
    version = template.get_version(group.launch_template_version)
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(version.number)}


def data_of(group: Any) -> dict[str, Any]:
    """What is launched, in the members of a launch template."""
    if group.ec2_launch_template is not None:
        data = dict(group.ec2_launch_template.get_version(group.launch_template_version).data)
        overrides = ((group.mixed_instances_policy or {}).get("LaunchTemplate") or {}).get("Overrides") or []
        if overrides and overrides[0].get("InstanceType"):
            data["InstanceType"] = overrides[0]["InstanceType"]
        return data
    old = group.launch_config
    named = old.security_groups or []
    return {
        "ImageId": old.image_id,
        "InstanceType": old.instance_type,
        "KeyName": old.key_name,
        "SecurityGroupIds": [g for g in named if g.startswith("sg-")],
        "SecurityGroups": [g for g in named if not g.startswith("sg-")],
        "UserData": old.user_data,
        "BlockDeviceMappings": old.block_device_mapping_dict,
        "IamInstanceProfile": {"Name": old.iam_instance_profile} if old.iam_instance_profile else {},
        "MetadataOptions": old.metadata_options or {},
        "AssociatePublicIpAddress": old.associate_public_ip_address,
    }


def check(group: Any) -> None:
    """Raises EC2's error for what cannot be launched whatever the capacity is."""
    data, ec2 = data_of(group), group.ec2_backend
    if not data.get("ImageId"):
        raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")
    image = ec2.launchable_image(data["ImageId"])
    ec2.check_type(data.get("InstanceType") or "m1.small", image, group.subnets()[0])
    ec2.check_key(data.get("KeyName"))
    for group_id in _groups(data):
        if ec2.get_security_group_from_id(group_id) is None:
            raise EC2ClientError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
    _profile(ec2, data)


def launch(group: Any, subnet: Any) -> Any:
    """Starts one instance in the subnet, tagged. Raises EC2's error when it is refused."""
    data, ec2 = data_of(group), group.ec2_backend
    tags = convert_tag_spec(data.get("TagSpecifications") or [])
    own = {ASG_NAME_TAG: group.name}
    template = template_of(group)
    if template is not None:
        own |= {
            "aws:ec2launchtemplate:id": template["LaunchTemplateId"],
            "aws:ec2launchtemplate:version": template["Version"],
        }
    tags["instance"] = {**tags.get("instance", {}), **group.get_propagated_tags(), **own}
    interfaces = [dict(n) for n in data.get("NetworkInterfaces") or []]
    for interface in interfaces:
        interface.setdefault("DeviceIndex", 0)
        if int(interface["DeviceIndex"]) == 0:
            interface["SubnetId"] = subnet.id
    profile = _profile(ec2, data)
    market = (data.get("InstanceMarketOptions") or {}).get("MarketType")
    reservation = ec2.run_instances(
        data.get("ImageId"),
        1,
        data.get("UserData"),
        list(data.get("SecurityGroups") or []),
        instance_type=data.get("InstanceType") or "m1.small",
        is_instance_type_default=False,
        placement=subnet.availability_zone,
        region_name=group.region,
        subnet_id=None if interfaces else subnet.id,
        nics=interfaces,
        key_name=data.get("KeyName"),
        security_group_ids=list(data.get("SecurityGroupIds") or []),
        associate_public_ip=data.get("AssociatePublicIpAddress"),
        tags=tags,
        ebs_optimized=bool(data.get("EbsOptimized")),
        disable_api_stop=bool(data.get("DisableApiStop")),
        disable_api_termination=bool(data.get("DisableApiTermination")),
        instance_market_options=market,
        instance_initiated_shutdown_behavior=data.get("InstanceInitiatedShutdownBehavior"),
        monitoring_state="enabled" if (data.get("Monitoring") or {}).get("Enabled") else "disabled",
        metadata_options=data.get("MetadataOptions") or {},
        block_device_mappings=data.get("BlockDeviceMappings") or [],
    )
    (instance,) = reservation.instances
    if profile:
        ec2.associate_iam_instance_profile(instance_id=instance.id, **profile)
    return instance


def _groups(data: dict[str, Any]) -> list[str]:
    in_interfaces = [g for n in data.get("NetworkInterfaces") or [] for g in n.get("Groups") or []]
    return [*(data.get("SecurityGroupIds") or []), *in_interfaces]


def _profile(ec2: Any, data: dict[str, Any]) -> dict[str, str]:
    """The instance profile in the words of moto. Raises EC2's error when it is not there."""
    named = data.get("IamInstanceProfile") or {}
    words = {"Arn": "iam_instance_profile_arn", "Name": "iam_instance_profile_name"}
    profile = {words[kind]: named[kind] for kind in words if named.get(kind)}
    if profile:
        both = dict.fromkeys(words.values()) | profile
        try:
            filter_iam_instance_profiles(ec2.account_id, partition=ec2.partition, **both)
        except ServiceException:
            value = next(iter(profile.values()))
            raise EC2ClientError(
                "InvalidParameterValue", f"Value ({value}) for parameter iamInstanceProfile is invalid. Invalid IAM Instance Profile"
            ) from None
    return profile
