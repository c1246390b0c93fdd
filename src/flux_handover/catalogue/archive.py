"""The bundled facts: zip archives of JSON, each entry read once and only when asked for."""

from __future__ import annotations

import json
import zipfile
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any


@cache
def entry(archive: str, name: str) -> Any:
    """The content of an entry, shared by all who ask: never change it. Raises KeyError where there is none."""
    return json.loads(_opened(archive).read(name))


@cache
def _opened(archive: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(BytesIO(files(__package__).joinpath(archive).read_bytes()))
