"""The report as one HTML file, which asks nobody for anything.

Every text is escaped by Jinja. The page has a Content Security Policy that lets exactly two
scripts run, each by its hash: the chart library and ours. What these draw stands in the page as
JSON, in which nothing can end the element that holds it.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from . import assets, wording
from .charts import MARKS, charts, over_time
from .figures import figures
from .material import Material

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

_OPTION = re.compile(r"(?<!\S)(--[a-z][a-z-]+)")
_UNSAFE = {char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def page(material: Material) -> bytes:
    """The whole file, in UTF-8."""
    from markupsafe import Markup

    library, script = assets.asset(assets.SCRIPT), assets.asset("report.js")
    content = _template().render(
        f=figures(material),
        over_time=over_time(material),
        marks=MARKS,
        data=Markup(embedded(charts(material))),  # noqa: S704 - embedded() makes it harmless
        library=Markup(library),  # noqa: S704 - a file of ours, as are the next ones
        script=Markup(script),  # noqa: S704 - ours
        style=Markup(assets.asset("report.css")),  # noqa: S704 - ours
        licences=Markup("\n".join(map(assets.asset, assets.LICENCES))),  # noqa: S704 - ours
        about=assets,
        policy=_policy(library, script),
    )
    return content.encode()


def whole(text: str) -> "Markup":
    """``text`` with the names of options kept on one line each."""
    from markupsafe import Markup, escape

    return Markup(_OPTION.sub(r'<span class="whole">\1</span>', str(escape(text))))  # noqa: S704


def embedded(data: Mapping[str, Any]) -> str:
    """JSON that means the same wherever it stands in HTML."""
    text = orjson.dumps(data).decode()
    for char, escape in _UNSAFE.items():
        text = text.replace(char, escape)
    return text


def _policy(*scripts: str) -> str:
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; "
        f"script-src {' '.join(map(assets.allowed, scripts))}"
    )


FILTERS = {
    "count": wording.count,
    "share": wording.share,
    "dollars": wording.dollars,
    "compact": wording.compact,
    "duration": wording.duration,
    "rate": wording.rate,
    "n": "{:,}".format,
    "answer": wording.answer_time,
    "closed": wording.closed_time,
    "limit": wording.limit,
    "part": wording.part,
    "cause": wording.cause,
    "whole": whole,
}


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # heavy, and only at the end of a run

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= FILTERS
    return environment.from_string(assets.asset("report.html.j2"))
