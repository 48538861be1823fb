"""The files that come with the package and go into every report, and whose they are."""

import hashlib
from base64 import b64encode
from functools import cache
from importlib.resources import files

LIBRARY = "Apache ECharts"
VERSION = "6.1.0"
LICENCE = "Apache License 2.0"
SCRIPT = "echarts/echarts.common.min.js"
SHA256 = "61f13280aba3161f77fc801bf5f9c786f55f10432153a0683fc5cc0700b013d5"
LICENCES = ("echarts/NOTICE", "echarts/LICENSE", "echarts/LICENSE-d3")


@cache
def asset(name: str) -> str:
    """The text of a file below ``assets/``."""
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


@cache
def allowed(script: str) -> str:
    """How a Content Security Policy names exactly this script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"
