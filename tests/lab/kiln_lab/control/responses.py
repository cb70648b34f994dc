"""EC2's actions: moto's, and those in which a lab with real effects must answer differently."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import traceback
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response

from ..errors import LabError
from . import unseen
from .backend import LabBackend
from .template_actions import TemplateActions


class LabResponse(TemplateActions, EC2Response):
    """One request. Runs under the control plane's lock."""

    RESPONSE_KEY_PATH_TO_TRANSFORMER = {
        path: transform
        for path, transform in EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER.items()
        # An instance's state is true here, also when a repeated RunInstances shows one that runs already.
        if path != "RunInstances.Reservation.Instances.Instance.State"
    }

    @property
    def lab(self) -> LabBackend:
        """The backend of the request's region."""
        return self.ec2_backend

    def call_action(self) -> Any:
        """Refuses what the answering replica has not seen yet, and words the lab's own failures as EC2 would."""
        self.lab.plane.visibility.next_call()
        try:
            unseen.refuse(self.lab.plane.visibility, dict(self.params))
            return super().call_action()
        except EC2ClientError as error:
            return self._answer(error)
        except LabError as error:
            return self._answer(EC2ClientError("InternalError", error.message), status=500)
        except NotImplementedError as error:
            return self._answer(EC2ClientError("UnsupportedOperation", f"not in this lab: {error}"))
        except Exception as error:  # noqa: BLE001 - a fault of the lab must be told apart from the client's
            sys.stderr.write(traceback.format_exc())
            return self._answer(EC2ClientError("InternalError", f"the lab failed: {error!r}"), status=500)

    def serialized(self, action_result: ActionResult) -> Any:
        """Leaves out of lists what the answering replica has not seen yet."""
        if self._get_action().startswith("Describe"):
            action_result = ActionResult(unseen.without(self.lab.plane.visibility, action_result.result))
        return super().serialized(action_result)

    def run_instances(self) -> ActionResult:
        """Idempotent by client token; as many as `MaxCount`."""
        token = self._get_param("ClientToken")
        fingerprint = self._fingerprint()
        if token and token in self.lab.launches:
            before, reservation_id = self.lab.launches[token]
            if before != fingerprint:
                raise EC2ClientError(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
                )
            if reservation_id in self.lab.reservations:
                return ActionResult(self.lab.reservations[reservation_id])
        for number in ("MinCount", "MaxCount"):
            if self._get_param(number) is None:
                raise EC2ClientError("MissingParameter", f"The request must contain the parameter {number}")
        if int(self._get_param("MinCount")) > int(self._get_param("MaxCount")) or int(self._get_param("MinCount")) < 1:
            raise EC2ClientError("InvalidParameterValue", "Value of MinCount must lie between 1 and MaxCount.")
        if self._get_param("DryRun"):
            self.lab.launchable_image(self._get_param("ImageId"))
        self.params["MinCount"] = self._get_param("MaxCount")
        result = super().run_instances()
        if token:
            self.lab.launches[token] = (fingerprint, result.result.id)
        return result

    def _parse_block_device_mapping(self) -> list[dict[str, Any]]:
        """As the request has them; `launch` lays them over the image's."""
        return self._get_param("BlockDeviceMappings", [])

    def stop_instances(self) -> ActionResult:
        """With `Force`."""
        self.error_on_dryrun()
        stopping = self.lab.stop_instances(self._get_param("InstanceIds", []), bool(self._get_param("Force")))
        return ActionResult({"StoppingInstances": [_change(i, before) for i, before in stopping]})

    def start_instances(self) -> ActionResult:
        """With the states as they are."""
        self.error_on_dryrun()
        starting = self.lab.start_instances(self._get_param("InstanceIds", []))
        return ActionResult({"StartingInstances": [_change(i, before) for i, before in starting]})

    def describe_instance_attribute(self) -> ActionResult:
        """With the user data, which moto shows under another name."""
        if self._get_param("Attribute") == "userData":
            instance = self.lab.get_multi_instances_by_id([self._get_param("InstanceId")])[0]
            text = str(instance.user_data) if instance.user_data else None
            return ActionResult({"InstanceId": instance.id, "UserData": {"Value": text}})
        return super().describe_instance_attribute()

    def get_console_output(self) -> ActionResult:
        """What the machine printed."""
        self.error_on_dryrun()
        instance = self.lab.get_multi_instances_by_id([self._get_param("InstanceId")])[0]
        printed = self.lab.plane.reality.machines.console(instance.id) if instance.has_booted else b""
        return ActionResult(
            {
                "InstanceId": instance.id,
                "Timestamp": utcnow(),
                "Output": base64.b64encode(printed).decode("ascii"),
            }
        )

    def create_image(self) -> ActionResult:
        """Of the instance's volumes as they are."""
        self.error_on_dryrun()
        instance = self.lab.get_multi_instances_by_id([self._get_param("InstanceId")])[0]
        tags = self._parse_tag_specification()
        image = self.lab.create_from(instance, self._get_param("Name"), dict(self.params), tags)
        return ActionResult({"ImageId": image.id})

    def register_image(self) -> ActionResult:
        """From a snapshot."""
        self.error_on_dryrun()
        image = self.lab.register(self._get_param("Name"), dict(self.params))
        image.add_tags(self._parse_tag_specification().get("image", {}))
        return ActionResult({"ImageId": image.id})

    def deregister_image(self) -> ActionResult:
        """Deletes the snapshots only when told to."""
        self.error_on_dryrun()
        image = self.lab.known_image(self._get_param("ImageId"))
        self.lab.deregister_image(image.id)
        deleted = []
        if self._get_param("DeleteAssociatedSnapshots"):
            for snapshot_id in image.snapshot_ids:
                self.lab.delete_snapshot(snapshot_id)
                deleted.append({"SnapshotId": snapshot_id, "ReturnCode": "success"})
        return ActionResult({"Return": True, "DeleteSnapshotResults": deleted})

    def modify_image_attribute(self) -> ActionResult:
        """Description too."""
        description = self._get_param("Description")
        if description is not None or self._get_param("Attribute") == "description":
            self.error_on_dryrun()
            image = self.lab.known_image(self._get_param("ImageId"))
            text = description.get("Value") if isinstance(description, dict) else description
            image.description = text if text is not None else self._get_param("Value")
            return EmptyResult()
        return super().modify_image_attribute()

    def import_key_pair(self) -> ActionResult:
        """As moto's; seen late."""
        result = super().import_key_pair()
        self.lab.plane.visibility.born(unseen.key(result.result.key_name))
        return result

    def create_key_pair(self) -> ActionResult:
        """As moto's; seen late."""
        result = super().create_key_pair()
        self.lab.plane.visibility.born(unseen.key(result.result.key_name))
        return result

    def _answer(self, error: EC2ClientError, status: int | None = None) -> Any:
        worded, headers, body = super().serialized(ActionResult(error))
        status = status or worded
        headers["status"] = str(status)
        headers, body = self._enrich_response(headers, body)
        return status, headers, body

    def _fingerprint(self) -> str:
        request = json.dumps(dict(self.params), sort_keys=True, default=str)
        return hashlib.sha256(request.encode()).hexdigest()


def _change(instance: Any, before: Any) -> dict[str, Any]:
    return {
        "InstanceId": instance.id,
        "CurrentState": {"Code": instance.state_code, "Name": instance.state},
        "PreviousState": {"Code": before.code, "Name": before.name},
    }
