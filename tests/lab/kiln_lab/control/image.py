"""A machine image, with all that RegisterImage says about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models.amis import Ami

from .block_devices import Mapping


class LabImage(Ami):
    """moto's image, without the volume and the snapshot that moto makes up for each: this one's are real."""

    def __init__(
        self,
        ec2_backend: Any,
        image_id: str,
        name: str,
        mappings: list[Mapping],
        *,
        architecture: str,
        root_device_name: str,
        virtualization_type: str = "hvm",
        description: str = "",
        owner_id: str | None = None,
        ena_support: bool = False,
        boot_mode: str | None = None,
        imds_support: str | None = None,
        tpm_support: str | None = None,
        sriov: str | None = None,
        public: bool = False,
        state: str = "pending",
        source_instance_id: str | None = None,
        source_image_id: str | None = None,
        creation_date: datetime | None = None,
    ) -> None:
        # moto's constructor is left out on purpose: it creates a volume and a snapshot with no content.
        self.ec2_backend = ec2_backend
        self.id = image_id
        self.name = name
        self.mappings = mappings
        self.architecture = architecture
        self.root_device_name = root_device_name
        self.virtualization_type = virtualization_type
        self.description = description
        self.owner_id = owner_id or ec2_backend.account_id
        self.owner_alias = None
        self.ena_support = ena_support
        self.boot_mode = boot_mode
        self.imds_support = imds_support
        self.tpm_support = tpm_support
        self.sriov = sriov
        self.sriov_net_support = sriov
        self.state = state
        self.state_reason: dict[str, str] | None = None
        self.instance_id = source_instance_id
        self.source_image_id = source_image_id
        self.creation_date = creation_date or utcnow()
        self.image_location = f"{self.owner_id}/{name}"
        self.image_type = "machine"
        self.root_device_type = "ebs"
        self.hypervisor = "xen"
        self.platform = None
        self.platform_details = "Linux/UNIX"
        self.usage_operation = "RunInstances"
        self.kernel_id = None
        self.ramdisk = None
        self.product_codes: set[str] = set()
        self.launch_permissions: list[dict[str, str]] = [{"Group": "all"}] if public else []

    @property
    def block_device_mappings(self) -> list[Mapping]:
        """As DescribeImages shows them."""
        return self.mappings

    @property
    def snapshot_ids(self) -> list[str]:
        """The snapshots that the image needs."""
        return [m["Ebs"]["SnapshotId"] for m in self.mappings if m["Ebs"].get("SnapshotId")]

    @property
    def metadata_defaults(self) -> dict[str, Any]:
        """What IMDS support makes the default of an instance's metadata options."""
        if self.imds_support == "v2.0":
            return {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
        return {}

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        """Adds filters that moto lacks."""
        if filter_name == "block-device-mapping.snapshot-id":
            return self.snapshot_ids
        if filter_name == "creation-date":
            return self.creation_date.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        if filter_name in ("description", "root-device-name", "root-device-type", "ena-support", "boot-mode", "image-type",
                           "hypervisor", "imds-support", "source-image-id"):  # fmt: skip
            value = getattr(self, filter_name.replace("-", "_"), None)
            return "" if value is None else value
        return super().get_filter_value(filter_name, method_name)
