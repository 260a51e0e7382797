"""What can go wrong in the backend.

CloudError
|- LocalAwsError     the local AWS is not installed, did not start, or is gone
|- DeployError       a stack was not created or updated; holds the resource at fault and its cause
|- Conflict          somebody else wrote in between; read again and decide anew
|- TooLarge          more than one transaction, or one step of a list, can take
`- PublishError      an allow-list was not published
   `- ShrinkRefused     the change removes more than a fifth of the cards and was not said to be meant
"""


class CloudError(Exception):
    """Root of all errors of the backend."""


class LocalAwsError(CloudError):
    """The local AWS is not installed, did not start, or is gone."""


class DeployError(CloudError):
    """A stack was not created or updated; the message names the resource at fault and its cause."""


class Conflict(CloudError):  # noqa: N818 - named for what happened, like the two below
    """Somebody else wrote in between, and nothing of ours was; read again and decide anew."""


class TooLarge(CloudError):  # noqa: N818
    """More than one transaction, or one step of a list, can take; nothing was written."""


class PublishError(CloudError):
    """An allow-list was not published; what the doors see has not changed."""


class ShrinkRefused(PublishError):  # noqa: N818
    """The change removes more than a fifth of the cards and was not said to be meant."""
