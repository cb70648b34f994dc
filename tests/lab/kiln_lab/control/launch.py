"""RunInstances: everything that EC2 refuses before it makes an instance, and what moto leaves out of one."""

from __future__ import annotations

import base64
import ipaddress
import platform
import time
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend, Reservation
from moto.ec2.models.subnets import Subnet

from . import block_devices
from .image import LabImage
from .plane import Plane
from .regions import regions

ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
"""What the lab's machines can run, in EC2's words."""

USER_DATA_LIMIT = 16384
"""Bytes of user data, before base64."""


class Launch(InstanceBackend):
    """Makes instances out of requests, and boots them."""

    plane: Plane

    def run_instances(
        self, image_id: str, count: int, user_data: Any, security_group_names: list[str], **kwargs: Any
    ) -> Reservation:
        """Checks, fills in what EC2 fills in, lets moto make the objects, and boots the machines."""
        template = self._get_template_from_args(kwargs["launch_template"]).data if kwargs.get("launch_template") else {}
        image_id = image_id or template.get("ImageId")
        image = self.launchable_image(image_id)
        if kwargs.get("is_instance_type_default", True):
            kwargs["instance_type"] = template.get("InstanceType", "m1.small")
            kwargs["is_instance_type_default"] = False
        subnet = self._place(kwargs)
        self.check_type(kwargs["instance_type"], image, subnet)
        self._check_capacity(kwargs["instance_type"], image, subnet)
        self.check_key(kwargs.get("key_name") or template.get("KeyName"))
        self._check_groups(security_group_names, kwargs, template, subnet)
        if user_data and len(base64.b64decode(str(user_data))) > USER_DATA_LIMIT:
            raise EC2ClientError("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT} bytes")
        configured = kwargs["launch_config"].block_device_mapping_dict if kwargs.get("launch_config") else None
        request = kwargs.get("block_device_mappings") or template.get("BlockDeviceMappings") or configured or []
        kwargs["block_device_mappings"] = self._devices(image, request)
        kwargs["metadata_options"] = {**image.metadata_defaults, **(kwargs.get("metadata_options") or {})}
        reservation = super().run_instances(image_id, count, user_data, security_group_names, **kwargs)
        for instance in reservation.instances:
            self._complete(instance, reservation, kwargs)
            instance.life.boot(instance)
        return reservation

    def stop_instances(self, instance_ids: list[str], force: bool = False) -> list[Any]:
        """As moto's, and `force` reaches the machine."""
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if instance.disable_api_stop is True:
                raise EC2ClientError(
                    "OperationNotPermitted",
                    f"The instance '{instance.id}' may not be stopped. Modify its 'disableApiStop' instance attribute "
                    "and try again.",
                )
        return [(instance, instance.stop(force)) for instance in instances]

    def all_reservations(self, filters: Any = None) -> list[Reservation]:
        """Without instances that were terminated long ago."""
        limit = time.monotonic() - self.plane.latency.terminated_visible()
        for reservation in list(self.reservations.values()):
            kept = [i for i in reservation.instances if i.gone_at is None or i.gone_at > limit]
            if not kept:
                del self.reservations[reservation.id]
            reservation.instances = kept
        return super().all_reservations(filters)

    def get_multi_instances_by_id(self, instance_ids: list[str], filters: Any = None) -> list[Instance]:
        """As moto's, with EC2's error for what is no id."""
        for instance_id in instance_ids:
            if not instance_id.startswith("i-"):
                raise EC2ClientError("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
        return super().get_multi_instances_by_id(instance_ids, filters)

    def _place(self, kwargs: dict[str, Any]) -> Subnet:
        """The subnet that is asked for, else the default one; noted in `kwargs` so that moto draws the address from it."""
        interfaces = kwargs.get("nics") or []
        first = next((n for n in interfaces if int(n.get("DeviceIndex") or 0) == 0), None)
        subnet_id = kwargs.get("subnet_id") or (first or {}).get("SubnetId")
        if subnet_id is None and (first or {}).get("NetworkInterfaceId"):
            return self.get_network_interface(first["NetworkInterfaceId"]).subnet
        if subnet_id is None:
            subnet = self._default_subnet(kwargs.get("placement"))
            if first is None:
                kwargs["subnet_id"] = subnet.id
            else:
                first["SubnetId"] = subnet.id
        else:
            subnet = self.get_subnet(subnet_id)
        network = ipaddress.ip_network(self.plane.reality.cidr)
        if not subnet.cidr.subnet_of(network):
            raise EC2ClientError(
                "UnsupportedOperation", f"This lab's network is {network}; subnet {subnet.id} ({subnet.cidr}) is outside."
            )
        self.keep_addresses_apart(subnet, kwargs.get("private_ip") or (first or {}).get("PrivateIpAddress"))
        return subnet

    def _default_subnet(self, zone: str | None) -> Subnet:
        if self.get_default_vpc() is None:
            raise EC2ClientError(
                "VPCIdNotSpecified",
                "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.",
            )
        subnets = self.get_default_subnets()
        if zone and zone not in [z.name for z in self.describe_availability_zones()]:
            raise EC2ClientError("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
        subnet = subnets.get(zone) if zone else next(iter(subnets.values()), None)
        if subnet is None:
            raise EC2ClientError(
                "MissingInput",
                f"No subnets found for the default VPC '{self.get_default_vpc().id}'. Please specify a subnet.",
            )
        return subnet

    def keep_addresses_apart(self, subnet: Subnet, wanted: str | None) -> None:
        """All VPCs of all regions share the lab's one network: an address that a machine has is taken in each of them."""
        interfaces = [eni for region in regions() for eni in region.enis.values()]
        taken = {ipaddress.ip_address(eni.private_ip_address) for eni in interfaces if eni.private_ip_address}
        if wanted and ipaddress.ip_address(wanted) in taken:
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {wanted} is in use.")
        if wanted and ipaddress.ip_address(wanted) not in subnet.cidr:
            raise EC2ClientError("InvalidParameterValue", f"Address {wanted} does not fall within the subnet's address range")
        subnet._unused_ips -= {str(address) for address in taken}
        subnet._reserved_ips = {address for address in taken if address in subnet.cidr}

    def check_type(self, name: str, image: LabImage, subnet: Subnet) -> None:
        """Raises EC2's error for a type that is not there, or that does not fit the image."""
        offered = {o["InstanceType"] for o in INSTANCE_TYPE_OFFERINGS["region"].get(self.region_name, [])}
        known = INSTANCE_TYPES.get(name)
        if known is None:
            raise EC2ClientError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
        if name not in offered:
            raise EC2ClientError(
                "Unsupported",
                f"Your requested instance type ({name}) is not supported in your requested Availability Zone "
                f"({subnet.availability_zone}).",
            )
        architectures = known["ProcessorInfo"]["SupportedArchitectures"]
        if image.architecture not in architectures:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"The architecture '{','.join(architectures)}' of the specified instance type does not match the "
                f"architecture '{image.architecture}' of the specified AMI. Specify an instance type and an AMI that have "
                "matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to "
                "discover the architecture of the instance type or AMI.",
            )
        if image.virtualization_type not in known["SupportedVirtualizationTypes"]:
            raise EC2ClientError(
                "InvalidParameterCombination",
                f"Non-Windows instances with a virtualization type of '{image.virtualization_type}' are currently not "
                "supported for this instance type.",
            )
        if known["NetworkInfo"].get("EnaSupport") == "required" and not image.ena_support:
            raise EC2ClientError(
                "InvalidParameterCombination",
                f"Enhanced networking with the Elastic Network Adapter (ENA) is required for the '{name}' instance type. "
                "Ensure that you are using an AMI that is enabled for ENA.",
            )
        if image.boot_mode == "uefi" and "uefi" not in known.get("SupportedBootModes", ["legacy-bios"]):
            raise EC2ClientError(
                "Unsupported", f"The requested configuration is not supported: {name} does not support boot mode 'uefi'."
            )

    def _check_capacity(self, name: str, image: LabImage, subnet: Subnet) -> None:
        if image.architecture != ARCHITECTURE or name in self.plane.misbehaviour.no_capacity:
            raise EC2ClientError(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient {name} capacity in the Availability Zone you requested "
                f"({subnet.availability_zone}). Our system will be working on provisioning additional capacity.",
            )

    def check_key(self, name: str | None) -> None:
        """Raises EC2's error for a key pair that is not there."""
        if name and name not in self.key_pairs:
            raise EC2ClientError("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")

    def _check_groups(self, names: list[str], kwargs: dict[str, Any], template: dict[str, Any], subnet: Subnet) -> None:
        for name in names or template.get("SecurityGroups", []):
            # Auto Scaling has ids where RunInstances has names.
            if self.get_security_group_by_name_or_id(name, subnet.vpc_id) is None:
                raise EC2ClientError(
                    "InvalidGroup.NotFound", f"The security group '{name}' does not exist in VPC '{subnet.vpc_id}'"
                )
        ids = kwargs.get("security_group_ids") or template.get("SecurityGroupIds") or []
        for group_id in [*ids, *(g for n in kwargs.get("nics") or [] for g in n.get("Groups") or [])]:
            group = self.get_security_group_from_id(group_id)
            if group is None:
                raise EC2ClientError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
            if group.vpc_id != subnet.vpc_id:
                raise EC2ClientError(
                    "InvalidParameter",
                    f"Security group {group_id} and subnet {subnet.id} belong to different networks.",
                )
        in_interfaces = [g for n in kwargs.get("nics") or [] for g in n.get("Groups") or []]
        kwargs["security_group_ids"] = list(ids) or in_interfaces
        if not (names or template.get("SecurityGroups") or kwargs["security_group_ids"]):
            kwargs["security_group_ids"] = [self.get_default_security_group(subnet.vpc_id).id]

    def _devices(self, image: LabImage, request: list[block_devices.Mapping]) -> list[block_devices.Mapping]:
        merged = block_devices.overlay(image.mappings, request, image.root_device_name)
        return block_devices.sized(merged, lambda snapshot: self.completed_snapshot(snapshot).volume_size)

    def _complete(self, instance: Instance, reservation: Reservation, kwargs: dict[str, Any]) -> None:
        instance.reservation_id = reservation.id
        self.plane.visibility.born(instance.id)
        for mapping in kwargs["block_device_mappings"]:
            device = instance.block_device_mapping.get(mapping["DeviceName"])
            if device is not None:
                volume = self.volumes[device.volume_id]
                volume.iops = mapping["Ebs"].get("Iops", volume.iops)
                volume.throughput = mapping["Ebs"].get("Throughput", volume.throughput)
        asked = {int(n.get("DeviceIndex") or 0): n.get("DeleteOnTermination") for n in kwargs.get("nics") or []}
        for index, interface in instance.nics.items():
            # EC2's default for an interface that the launch makes; moto would keep it, and its address, for ever.
            interface.delete_on_termination = asked.get(index) is not False
            interface.add_tags((kwargs.get("tags") or {}).get("network-interface", {}))
