"""Which stacks an environment is made of, in which order, and what each is told. Plain values: nothing is called."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from cloud.deploy.package import AWS_TARGET, Target, local_target

TEMPLATES: Final = files("cloud") / "stacks"
_STANDING_ALONE: Final = frozenset({"root.yaml", "artifacts.yaml", "device.yaml"})
DEFAULT_ZONE: Final = "Europe/Berlin"


@dataclass(frozen=True, slots=True)
class StackPlan:
    """One stack: its name, its template, and its parameters."""

    name: str
    template: Traversable
    parameters: Mapping[str, str]
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Parameters taken from the outputs of stacks before it: parameter -> output."""

    def body(self) -> str:
        """The template's text."""
        return self.template.read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class SitePlan:
    """A site of an environment, as it is when it is first deployed; later changes are the staff's."""

    id: str
    name: str
    zone: str = DEFAULT_ZONE


@dataclass(frozen=True, slots=True)
class StagedRelease:
    """Where what is deployed lies: keys in the bucket of artifacts, and the URL of the nested templates' folder."""

    code_key: str
    layer_key: str
    templates: str


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """What differs between environments. Durations and sizes are the templates' defaults."""

    name: str
    sites: tuple[SitePlan, ...]
    bucket_suffix: str = ""
    """Ends the names of all buckets, which are unique in the world."""
    target: Target = AWS_TARGET
    deletion_protection: bool = True
    options: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the root; see cloud/stacks/root.yaml."""
    is_local: bool = False
    """Whether it is for the local AWS: plain HTTP, no named queries, no second factor needed."""

    @property
    def root_name(self) -> str:
        """Name of the root stack."""
        return root_name(self.name)

    def artifacts(self) -> StackPlan:
        """The bucket that all else is deployed from."""
        parameters = {"BucketName": f"cardea-{self.name}-artifacts{self.bucket_suffix}", **self._common()}
        return StackPlan(artifacts_name(self.name), TEMPLATES / "artifacts.yaml", parameters)

    def root(self, release: StagedRelease) -> StackPlan:
        """The environment itself."""
        parameters = {
            **self._common(),
            "Running": "true",
            "Archiving": "true",
            "CodeKey": release.code_key,
            "LayerKey": release.layer_key,
            "Templates": release.templates,
            "Runtime": self.target.runtime,
            "Architecture": self.target.architecture,
            "BucketSuffix": self.bucket_suffix,
            "DeletionProtection": _flag(self.deletion_protection),
        }
        if self.is_local:
            parameters |= {"NamedQueries": "false", "MfaMode": "OPTIONAL"}
        return StackPlan(
            self.root_name,
            TEMPLATES / "root.yaml",
            parameters | dict(self.options),
            {"ArtifactsBucket": "ArtifactsBucket"},
        )

    def unprotected(self) -> "EnvironmentPlan":
        """The same, for its creation: what a failed one leaves must not be protected against going."""
        return replace(self, deletion_protection=False)

    def devices(self) -> tuple[StackPlan, ...]:
        """What the doors of each site may do."""
        arns = {name: name for name in ("StreamArn", "TableArn", "BucketArn")}
        return tuple(
            StackPlan(
                f"{device_prefix(self.name)}{_in_stack_name(site.id)}",
                TEMPLATES / "device.yaml",
                {"Environment": self.name, "Site": site.id},
                arns,
            )
            for site in self.sites
        )

    def _common(self) -> dict[str, str]:
        return {"Environment": self.name, "RequireTls": _flag(not self.is_local)}


def root_name(environment: str) -> str:
    """Name of an environment's root stack."""
    return f"cardea-{environment}"


def artifacts_name(environment: str) -> str:
    """Name of the stack of its artifacts."""
    return f"cardea-{environment}-artifacts"


def device_prefix(environment: str) -> str:
    """What the names of the stacks of its sites begin with; the site follows."""
    return f"cardea-{environment}-device-"


def nested_templates() -> Mapping[str, bytes]:
    """The templates that the root nests, by file name."""
    return {
        template.name: template.read_bytes()
        for template in sorted(TEMPLATES.iterdir(), key=lambda template: template.name)
        if template.name.endswith(".yaml") and template.name not in _STANDING_ALONE
    }


def account_suffix(account: str) -> str:
    """Ends the names of buckets on AWS."""
    return f"-{account}"


def local_environment(*sites: SitePlan, name: str = "dev", options: Mapping[str, str] | None = None) -> EnvironmentPlan:
    """An environment of the local AWS, which is thrown away and speaks plain HTTP."""
    return EnvironmentPlan(
        name, sites, target=local_target(), deletion_protection=False, options=options or {}, is_local=True
    )


def _in_stack_name(site: str) -> str:
    """Names of stacks take no underscore, ids of sites do."""
    if "_" not in site:
        return site
    return f"{site.replace('_', '-')}-{hashlib.sha256(site.encode()).hexdigest()[:8]}"


def _flag(value: bool) -> str:
    return "true" if value else "false"
