"""EC2's actions on launch templates, where moto's differ from EC2's."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.utils import generic_filter, parse_user_data

from . import unseen
from .launch_templates import LabTemplate

PAGE = 200
"""Templates, or versions, in an answer that says nothing else."""


class TemplateActions:
    """Mixed into the responses of EC2, whose request and backend it uses."""

    lab: Any
    _get_param: Any
    _parse_tag_specification: Any
    _filters_from_querystring: Any
    error_on_dryrun: Any
    partition: str
    current_account: str

    def create_launch_template(self) -> ActionResult:
        """The tags of the template are its own, not what it gives to instances."""
        name, description = self._get_param("LaunchTemplateName"), self._get_param("VersionDescription")
        data = self._template_data()
        self.error_on_dryrun()
        template = self.lab.create_launch_template(name, description, data, self._parse_tag_specification())
        return ActionResult({"LaunchTemplate": self._shown(template)})

    def create_launch_template_version(self) -> ActionResult:
        """From a source version, if one is named, with what the request says instead."""
        template = self._named()
        data = self._template_data()
        source = self._get_param("SourceVersion")
        if source:
            data = {**template.get_version(source).data, **data}
        self.error_on_dryrun()
        version = template.create_version(data, self._get_param("VersionDescription"))
        self.lab.plane.visibility.born(unseen.version(template.id, version.number))
        return ActionResult({"LaunchTemplateVersion": self._shown_version(template, version)})

    def modify_launch_template(self) -> ActionResult:
        """The default version."""
        template = self._named()
        version = template.get_version(self._get_param("SetDefaultVersion") or self._get_param("DefaultVersion"))
        self.error_on_dryrun()
        template.default_version_number = version.number
        return ActionResult({"LaunchTemplate": self._shown(template)})

    def delete_launch_template(self) -> ActionResult:
        """With all its versions."""
        template = self._named()
        self.error_on_dryrun()
        self.lab.delete_launch_template("", template.id)
        return ActionResult({"LaunchTemplate": self._shown(template)})

    def delete_launch_template_versions(self) -> ActionResult:
        """Each is told apart: those that went, those that did not and why."""
        template = self._named()
        self.error_on_dryrun()
        gone, kept = [], []
        for number in self._get_param("Versions", []):
            named = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": int(number)}
            try:
                template.delete_version(number)
                gone.append(named)
            except EC2ClientError as error:
                code = "launchTemplateVersionDoesNotExist" if "NotFound" in error.code else "unexpectedError"
                kept.append({**named, "ResponseError": {"Code": code, "Message": error.message}})
        return ActionResult(
            {
                "SuccessfullyDeletedLaunchTemplateVersions": gone,
                "UnsuccessfullyDeletedLaunchTemplateVersions": kept,
            }
        )

    def describe_launch_templates(self) -> ActionResult:
        """By id, name or filter, in pages."""
        ids, names = self._get_param("LaunchTemplateIds", []), self._get_param("LaunchTemplateNames", [])
        if ids or names:
            found = [self.lab.template(None, i) for i in ids] + [self.lab.template(n, None) for n in names]
        else:
            hides = self.lab.plane.visibility.hides
            found = [t for t in self.lab.launch_templates.values() if not hides(t.id)]
        found = generic_filter(self._filters_from_querystring(), found)
        shown, token = self._page([self._shown(t) for t in found])
        return ActionResult({"LaunchTemplates": shown, "NextToken": token})

    def describe_launch_template_versions(self) -> ActionResult:
        """Of one template, or the latest and default ones of all."""
        wanted = self._get_param("Versions", [])
        name, template_id = self._get_param("LaunchTemplateName"), self._get_param("LaunchTemplateId")
        if name or template_id:
            templates = [self._named()]
        elif wanted and all(str(w).lower() in ("$latest", "$default") for w in wanted):
            templates = list(self.lab.launch_templates.values())
        else:
            raise EC2ClientError("MissingParameter", "Specify the launch template, or `$Latest` or `$Default` of all of them.")
        least, most = int(self._get_param("MinVersion") or 0), int(self._get_param("MaxVersion") or 10**9)
        found = []
        for template in templates:
            versions = [template.get_version(w) for w in wanted] if wanted else reversed(template.versions)
            found += [self._shown_version(template, v) for v in versions if least <= v.number <= most]
        shown, token = self._page(found)
        return ActionResult({"LaunchTemplateVersions": shown, "NextToken": token})

    def _named(self) -> LabTemplate:
        return self.lab.template(self._get_param("LaunchTemplateName"), self._get_param("LaunchTemplateId"))

    def _template_data(self) -> dict[str, Any]:
        data = dict(self._get_param("LaunchTemplateData", {}))
        if data.get("UserData") is not None:
            data["UserData"] = parse_user_data(data["UserData"])
        return data

    def _page(self, everything: list[Any]) -> tuple[list[Any], str | None]:
        begin = int(self._get_param("NextToken") or 0)
        end = begin + int(self._get_param("MaxResults") or PAGE)
        return everything[begin:end], str(end) if end < len(everything) else None

    def _shown(self, template: LabTemplate) -> dict[str, Any]:
        return {
            "CreateTime": template.create_time,
            "CreatedBy": f"arn:{self.partition}:iam::{self.current_account}:root",
            "DefaultVersionNumber": template.default_version_number,
            "LatestVersionNumber": template.latest_version_number,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Tags": template.get_tags(),
        }

    def _shown_version(self, template: LabTemplate, version: Any) -> dict[str, Any]:
        return {
            "CreateTime": version.create_time,
            "CreatedBy": f"arn:{self.partition}:iam::{self.current_account}:root",
            "DefaultVersion": template.is_default(version),
            "LaunchTemplateData": version.data,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionDescription": version.description,
            "VersionNumber": version.number,
        }
