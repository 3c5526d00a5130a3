"""`strongroom openapi`: print the document of the API."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from strongroom.apidoc.pages import document_json, document_yaml


def openapi(*, yaml: Annotated[bool, Parameter(help="As YAML instead of JSON.")] = False) -> None:
    """Print the OpenAPI 3.1 document of the API."""
    sys.stdout.write((document_yaml() if yaml else document_json()).decode())
