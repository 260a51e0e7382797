"""What can go wrong in the backend.

CloudError
|- LocalAwsError     the local AWS is not installed, did not start, or is gone
|- DeployError       a stack was not created or updated; holds the resource at fault and its cause
`- PublishError      an allow-list was not published
   |- Conflict          somebody else published in between; read again and decide anew
   `- ShrinkRefused     the change removes more than a fifth of the cards and was not said to be meant
"""


class CloudError(Exception):
    """Root of all errors of the backend."""


class LocalAwsError(CloudError):
    """The local AWS is not installed, did not start, or is gone."""


class DeployError(CloudError):
    """A stack was not created or updated; the message names the resource at fault and its cause."""


class PublishError(CloudError):
    """An allow-list was not published; what the doors see has not changed."""


class Conflict(PublishError):  # noqa: N818 - named for what happened, like its sibling
    """Somebody else published in between; read again and decide anew."""


class ShrinkRefused(PublishError):  # noqa: N818
    """The change removes more than a fifth of the cards and was not said to be meant."""
