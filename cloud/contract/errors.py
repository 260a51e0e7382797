"""What can be wrong with something that came over the wire."""


class ContractError(ValueError):
    """A document breaks the wire contract; the message says what and where."""


class UnknownVersionError(ContractError):
    """A document of a schema version that this release does not know: keep it out, report it, go on."""


class SignatureInvalidError(ContractError):
    """No trusted key made this signature."""


class HashMismatchError(ContractError):
    """The bytes are not those that were signed."""


class WrongSiteError(ContractError):
    """A signed document of another site."""
