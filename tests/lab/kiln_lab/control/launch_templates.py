"""Launch templates: versions by number, also when earlier ones are deleted."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend, LaunchTemplateVersion

from .plane import Plane


class LabTemplate(LaunchTemplate):
    """moto's template, whose versions keep their numbers."""

    def create_version(self, data: dict[str, Any], description: str) -> LaunchTemplateVersion:
        """The next number, which is never one that was."""
        number = getattr(self, "_last", 0) + 1
        self._last = number
        version = LaunchTemplateVersion(self, number, data, description)
        self.versions.append(version)
        return version

    def get_version(self, num: Any) -> LaunchTemplateVersion:
        """By number, `$Latest` or `$Default`."""
        text = str(num)
        if text.lower() == "$latest":
            return self.versions[-1]
        wanted = str(self.default_version_number) if text.lower() == "$default" else text
        for version in self.versions:
            if str(version.number) == wanted:
                return version
        raise EC2ClientError(
            "InvalidLaunchTemplateId.VersionNotFound",
            f"Could not find launch template version {text} for launch template {self.id}.",
        )

    def default_version(self) -> LaunchTemplateVersion:
        """Where no other is named."""
        return self.get_version("$Default")

    def delete_version(self, number: str) -> LaunchTemplateVersion:
        """Every version but the default one can go."""
        version = self.get_version(number)
        if version.number == self.default_version_number:
            raise EC2ClientError(
                "OperationNotPermitted",
                f"Cannot delete the launch template version {number} because it is the default version.",
            )
        self.versions.remove(version)
        return version


class Templates(LaunchTemplateBackend):
    """Templates are seen late, and what is not there is an error."""

    plane: Plane

    def create_launch_template(self, *args: Any, **kwargs: Any) -> LaunchTemplate:
        """As moto's; seen late by its id and by its name."""
        template = super().create_launch_template(*args, **kwargs)
        self.plane.visibility.born(template.id)
        return template

    def delete_launch_template(self, name: str, tid: str | None) -> LaunchTemplate:
        """By name or id."""
        return super().delete_launch_template("", self.template(name, tid).id)

    def template(self, name: str | None, template_id: str | None) -> LabTemplate:
        """The one that is named; EC2's error when there is none, or the answering replica does not know it."""
        if not name and not template_id:
            raise EC2ClientError(
                "MissingParameter", "The request must contain either the launch template ID or the launch template name"
            )
        found = self.launch_templates.get(template_id or self.launch_template_name_to_ids.get(name or "", ""))
        if found is None or self.plane.visibility.hides(found.id):
            if template_id:
                raise EC2ClientError(
                    "InvalidLaunchTemplateId.NotFound",
                    f"The specified launch template, with template ID {template_id}, does not exist.",
                )
            raise EC2ClientError(
                "InvalidLaunchTemplateName.NotFoundException",
                f"The specified launch template, with template name {name}, does not exist.",
            )
        return found
