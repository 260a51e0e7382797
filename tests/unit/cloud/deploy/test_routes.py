"""The API's routes in its template, made from its document."""

import json
from pathlib import Path

from cloud.deploy.routes import DOCUMENT, TEMPLATE, routes_section, with_routes

CLOUD = Path(__file__).resolve().parents[4] / "cloud"


def test_template_is_up_to_date() -> None:
    """`python -m cloud.deploy.routes` would change nothing."""
    text = (CLOUD / TEMPLATE).read_text(encoding="utf-8")
    document = json.loads((CLOUD / DOCUMENT).read_text(encoding="utf-8"))
    assert with_routes(text, routes_section(document)) == text


def test_only_the_section_is_replaced() -> None:
    """What is written by hand before and after stays."""
    text = (CLOUD / TEMPLATE).read_text(encoding="utf-8")
    emptied = with_routes(text, "")
    before, _, after = emptied.partition("routes: begin")
    assert text.startswith(before)
    assert text.endswith(after.partition("\n")[2])
