"""Deploys a whole environment: artifacts, the root with all that it nests, what doors may do, and the sites."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud.adapters.aws import AwsAccess
from cloud.adapters.keys import SiteKeys
from cloud.adapters.secrets import cursor_secret
from cloud.deploy.plan import EnvironmentPlan
from cloud.deploy.release import stage
from cloud.deploy.secret_keys import ensure_secret_key
from cloud.deploy.sites import FirstList, ensure_site
from cloud.deploy.stacks import Deployer


@dataclass(frozen=True, slots=True)
class SiteStart:
    """How a site begins, where that is not left to the deployment."""

    keys: SiteKeys | None = None
    first: FirstList = field(default_factory=FirstList)


def deploy(
    access: AwsAccess, deployer: Deployer, plan: EnvironmentPlan, starts: Mapping[str, SiteStart] | None = None
) -> Mapping[str, str]:
    """Bring an environment to its plan; returns the outputs. Raises DeployError, AwsError.

    Args:
        access: The account.
        deployer: Of the same account.
        plan: The environment.
        starts: How sites begin, by id.
    """
    outputs = deployer.apply([plan.artifacts()])
    release = stage(access.s3(), outputs["ArtifactsBucket"], plan.target)
    if plan.deletion_protection and deployer.is_new(plan.root_name):
        outputs = deployer.apply([plan.unprotected().root(release)], outputs)
    outputs = deployer.apply([plan.root(release), *plan.devices()], outputs)
    ensure_secret_key(access.secretsmanager(), cursor_secret(plan.name), outputs["KeyArn"])
    for site in plan.sites:
        start = (starts or {}).get(site.id, SiteStart())
        ensure_site(access, plan.name, site, outputs, start.keys, start.first)
    return outputs
