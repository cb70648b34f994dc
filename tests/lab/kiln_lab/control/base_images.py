"""The images that exist before anybody makes one: Debian's, as its cloud team publishes them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import Path

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models.elastic_block_store import Volume
from moto.ssm import ssm_backends
from moto.ssm.models import Parameter

from .backend import LabBackend
from .image import LabImage
from .storage import LabSnapshot

DEBIAN = "136693071363"
"""The account of Debian's cloud team."""

RELEASES = {"bookworm": 12, "trixie": 13}
"""Numbers of the suites whose images are published."""

SIZE = 8
"""GiB of the official images' root volume."""

ROOT = "/dev/xvda"


def register(backend: LabBackend, suite: str, root: Path, architecture: str) -> LabImage:
    """Makes the image of `suite` out of a ready root directory. Its name is the same in every lab with that root, and its id
    is in every such lab's region of that name.
    """
    made = datetime.fromtimestamp(root.stat().st_mtime, tz=timezone.utc)
    release = RELEASES[suite]
    spelled = {"x86_64": "amd64"}.get(architecture, architecture)
    name = f"debian-{release}-{spelled}-{made:%Y%m%d}-{made:%H%M}"
    snapshot_id = _id("snap", backend, name)
    backend.plane.reality.volumes.register_base(snapshot_id, root)
    image = _image(backend, name, snapshot_id, release, architecture, made)
    _publish(backend, release, spelled, name, image.id, made)
    return image


def register_foreign(backend: LabBackend, like: LabImage, architecture: str) -> LabImage:
    """The same release for an architecture that this lab's machines do not have: it can be found, and not be run."""
    _, release, own, day, minute = like.name.split("-")
    name = f"debian-{release}-{architecture}-{day}-{minute}"
    image = _image(backend, name, _id("snap", backend, name), int(release), architecture, like.creation_date)
    _publish(backend, int(release), architecture, name, image.id, like.creation_date)
    return image


def _image(
    backend: LabBackend, name: str, snapshot_id: str, release: int, architecture: str, made: datetime
) -> LabImage:
    # The volume that a published snapshot was taken of belongs to its owner: EC2 shows everybody else this one.
    volume = Volume(backend, "vol-ffffffff", SIZE, zone=None)
    snapshot = LabSnapshot(backend, snapshot_id, volume, description=name, owner_id=DEBIAN)
    snapshot.status = "completed"
    snapshot.create_volume_permission_groups.add("all")
    backend.snapshots[snapshot_id] = snapshot
    image = LabImage(
        backend,
        _id("ami", backend, name),
        name,
        [
            {
                "DeviceName": ROOT,
                "Ebs": {
                    "SnapshotId": snapshot_id,
                    "VolumeSize": SIZE,
                    "VolumeType": "gp3",
                    "DeleteOnTermination": True,
                    "Encrypted": False,
                },
            }
        ],
        architecture=architecture,
        root_device_name=ROOT,
        description=f"Debian {release} ({made:%Y%m%d}-{made:%H%M})",
        owner_id=DEBIAN,
        ena_support=True,
        boot_mode="uefi-preferred" if architecture == "x86_64" else "uefi",
        imds_support="v2.0",
        public=True,
        state="available",
        creation_date=made,
    )
    backend.amis[image.id] = image
    return image


def _publish(backend: LabBackend, release: int, spelled: str, name: str, image_id: str, made: datetime) -> None:
    """The public parameters by which the newest image is found."""
    parameters = ssm_backends[DEFAULT_ACCOUNT_ID][backend.region_name]._parameters
    for version in ("latest", "-".join(name.split("-")[3:])):
        path = f"/aws/service/debian/release/{release}/{version}/{spelled}"
        parameters[path].append(
            Parameter(
                account_id=DEFAULT_ACCOUNT_ID,
                name=path,
                value=image_id,
                parameter_type="String",
                description=None,
                allowed_pattern=None,
                keyid=None,
                last_modified_date=made,
                version=1,
                data_type="aws:ec2:image",
            )
        )


def _id(prefix: str, backend: LabBackend, name: str) -> str:
    return f"{prefix}-{hashlib.sha256(f'{backend.region_name} {name}'.encode()).hexdigest()[:17]}"
