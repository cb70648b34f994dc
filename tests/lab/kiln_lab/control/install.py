"""Puts the lab's classes in the place of moto's."""

from __future__ import annotations

from typing import Any

import moto.autoscaling.urls
import moto.ec2.models.elastic_block_store
import moto.ec2.models.elastic_network_interfaces
import moto.ec2.models.instances
import moto.ec2.models.launch_templates
import moto.ec2.urls
import moto.ec2.utils
import moto.elb.urls
import moto.elbv2.models
import moto.elbv2.urls
from moto.autoscaling.models import autoscaling_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from .backend import LabBackend
from .balancing.backend import LabBalancing
from .balancing.responses import LabBalancingResponse
from .balancing.target_group import LabTargetGroup
from .instance import LabInstance
from .interface import LabInterface
from .launch_templates import LabTemplate
from .plane import Plane
from .responses import LabResponse
from .scaling.backend import LabScaling
from .scaling.responses import LabScalingResponse
from .storage import LabSnapshot, LabVolume

FILTERS = {
    "client-token": "client_token",
    "instance-lifecycle": "lifecycle",
    "instance-state-code": "state_code_text",
    "reservation-id": "reservation_id",
    "root-device-name": "root_device_name",
    "root-device-type": "root_device_type",
    "virtualization-type": "virtualization_type",
}
"""Filters of DescribeInstances that moto lacks, and the attributes that they compare."""


def install(plane: Plane) -> tuple[Any, LabBackend]:
    """The WSGI application and the backend of the lab's region. One lab a process: moto's state is the process's."""
    moto.ec2.models.instances.Instance = LabInstance
    moto.ec2.models.elastic_block_store.Volume = LabVolume
    moto.ec2.models.elastic_block_store.Snapshot = LabSnapshot
    moto.ec2.models.elastic_network_interfaces.NetworkInterface = LabInterface
    moto.ec2.models.launch_templates.LaunchTemplate = LabTemplate
    moto.ec2.utils.filter_dict_attribute_mapping.update(FILTERS)
    moto.ec2.urls.url_paths["{0}/"] = LabResponse.dispatch
    # moto finds a service's URLs and its name by the module of its backend.
    ec2_backends.backend = type("Backend", (LabBackend,), {"plane": plane, "__module__": "moto.ec2.models"})
    moto.elbv2.models.FakeTargetGroup = LabTargetGroup
    # Two services have one address, and moto takes either's.
    moto.elb.urls.url_paths["{0}/$"] = moto.elbv2.urls.url_paths["{0}/$"] = LabBalancingResponse.dispatch
    elbv2_backends.backend = type("Backend", (LabBalancing,), {"plane": plane, "__module__": "moto.elbv2.models"})
    moto.autoscaling.urls.url_paths["{0}/$"] = LabScalingResponse.dispatch
    autoscaling_backends.backend = type("Backend", (LabScaling,), {"plane": plane, "__module__": "moto.autoscaling.models"})
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][plane.region]
    return DomainDispatcherApplication(create_backend_app), backend
