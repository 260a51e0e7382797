"""Writes the API's routes into its template, one per operation of the OpenAPI document; a test holds the two together.

`python -m cloud.deploy.routes` does it. The rest of the template is written by hand and is left alone.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = "api/openapi.json"
TEMPLATE: Final = "stacks/api.yaml"
_BEGIN: Final = "  # ---- routes: begin (made by `python -m cloud.deploy.routes`) ----\n"
_END: Final = "  # ---- routes: end ----\n"
_INTEGRATIONS: Final = {"api-read": "ReadIntegration", "api-change": "ChangeIntegration"}


def routes_section(document: Mapping[str, Any]) -> str:
    """The resources of all operations of a document, in its order."""
    return "\n".join(
        _route(method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )


def with_routes(template: str, section: str) -> str:
    """The template with its section of routes replaced."""
    before, _, rest = template.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{section}{_END}{after}"


def _route(method: str, path: str, operation: Mapping[str, Any]) -> str:
    name = operation["operationId"]
    integration = _INTEGRATIONS[operation["x-cardea-function"]]
    return (
        f"  {name[0].upper()}{name[1:]}:\n"
        f"    Type: AWS::ApiGatewayV2::Route\n"
        f"    Properties:\n"
        f"      ApiId: !Ref Api\n"
        f'      RouteKey: "{method} {path}"\n'
        f"      AuthorizationType: JWT\n"
        f"      AuthorizerId: !Ref Authorizer\n"
        f'      Target: !Sub "integrations/${{{integration}}}"\n'
    )


def main() -> None:
    """Bring the template in line with the document."""
    package = files("cloud")
    document = json.loads((package / DOCUMENT).read_text(encoding="utf-8"))
    template = Path(str(package / TEMPLATE))
    template.write_text(with_routes(template.read_text(encoding="utf-8"), routes_section(document)), encoding="utf-8")


if __name__ == "__main__":
    main()
