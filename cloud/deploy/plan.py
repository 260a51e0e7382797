"""Which stacks an environment is made of, in which order, and what each is told. Plain values: nothing is called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_TEMPLATES: Final = files("cloud") / "stacks"


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
class EnvironmentPlan:
    """What differs between environments. Durations and sizes are the templates' defaults."""

    name: str
    bucket: str
    """S3 bucket for snapshots; unique in the world."""
    sites: tuple[str, ...]
    deletion_protection: bool = True
    require_tls: bool = True

    def stacks(self) -> tuple[StackPlan, ...]:
        """The stacks, each after those whose outputs it takes."""
        environment = {"Environment": self.name}
        arns = {name: name for name in ("StreamArn", "TableArn", "BucketArn")}
        return (
            StackPlan(
                f"cardea-{self.name}-data",
                _TEMPLATES / "data.yaml",
                {**environment, "DeletionProtection": _flag(self.deletion_protection)},
            ),
            StackPlan(f"cardea-{self.name}-events", _TEMPLATES / "events.yaml", environment),
            StackPlan(
                f"cardea-{self.name}-lists",
                _TEMPLATES / "lists.yaml",
                {**environment, "BucketName": self.bucket, "RequireTls": _flag(self.require_tls)},
            ),
            *(
                StackPlan(
                    f"cardea-{self.name}-device-{site}", _TEMPLATES / "device.yaml", {**environment, "Site": site}, arns
                )
                for site in self.sites
            ),
        )


def bucket_name(environment: str, account: str) -> str:
    """The bucket's name on AWS: qualified by the account, since bucket names are unique in the world."""
    return f"cardea-{environment}-lists-{account}"


def local_environment(site: str) -> EnvironmentPlan:
    """The environment `dev` of the local AWS, which holds one site, is thrown away, and speaks plain HTTP."""
    return EnvironmentPlan("dev", "cardea-dev-lists", (site,), deletion_protection=False, require_tls=False)


def _flag(value: bool) -> str:
    return "true" if value else "false"
