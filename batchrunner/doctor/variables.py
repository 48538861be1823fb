"""Suspicious environment variables: misspelt, overridden, of other programs. Pure.

Nothing here tells a value: some are keys.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from ..config import PREFIX
from ..targets import COMPANIONS, ENDPOINT, FALLBACK, KEY, numbers
from .caution import Caution, Code
from .surroundings import Surroundings

_NUMBERED = (KEY, ENDPOINT, *(name for name, _ in COMPANIONS.values()))
_PLAIN = tuple(name for name, _ in FALLBACK.values())
_READ = re.compile(rf"(?:{'|'.join(_NUMBERED)})(?:_[1-9]\d*)?|{'|'.join(_PLAIN)}")
_PARTS = re.compile(r"(?P<stem>[A-Z0-9_]*?[A-Z])_?(?P<number>\d*)")
#: what others call the same, too far from our names to be taken for a slip
_SYNONYMS = {
    "AZURE_OPENAI_BASE_URL": ENDPOINT,
    "AZURE_OPENAI_API_BASE": ENDPOINT,
    "AZURE_OPENAI_URL": ENDPOINT,
    "AZURE_OPENAI_DEPLOYMENT_NAME": "AZURE_OPENAI_DEPLOYMENT",
    "AZURE_OPENAI_MODEL": "AZURE_OPENAI_DEPLOYMENT",
    "AZURE_OPENAI_VERSION": "AZURE_OPENAI_API_VERSION",
}
_ELSEWHERE = frozenset({"OPENAI_LOG", "OPENAI_CUSTOM_HEADERS", "OPENAI_WEBHOOK_SECRET"})
_OTHERS = ("OPENAI_API_BASE", "OPENAI_API_TYPE", "OPENAI_API_VERSION", "OPENAI_API_HOST")
_IDENTITIES = ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID", "OPENAI_PROJECT")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PLACEHOLDER = re.compile(r"<.*>|\.*|x{3,}|change-?me|(your|my)[-_ ].*|sk-\.+", re.IGNORECASE)
_QUOTES = "\"'`“”‘’"  # noqa: RUF001 - what a word processor makes of them
_ALIKE = 0.82
#: what may explain why the settings cannot be read at all
EXPLAINING = frozenset(
    {Code.MISSPELT, Code.HOMELESS, Code.OVERRIDDEN, Code.UNNUMBERED, Code.OTHER_PROGRAM}
)


def suspicions(around: Surroundings, *, proxied: bool = False) -> list[Caution]:
    """What stands out in the variables of this process and of its file.

    ``proxied``: whether a proxy is named in the settings, so that who set one knows of ours.
    """
    process, file = (
        {name: text for name, text in some.items() if text.strip()}
        for some in (around.process, around.file)
    )
    environ = {**file, **process}
    return [
        *_readable(around, file),
        *_misspelt(environ),
        *_homeless(environ),
        *_keys(environ),
        *_overridden(process, file, around.path),
        *_unnumbered(process),
        *_of_others(environ, proxied=proxied),
        *_hidden_settings(process),
    ]


def _readable(around: Surroundings, file: Mapping[str, str]) -> Iterator[Caution]:
    """A file with keys that are not for its owner alone."""
    if around.is_readable and _key_names(file):
        message = f"others can read the keys in {around.path}"
        yield Caution(Code.ENV_FILE_READABLE, (around.path,), message, f"chmod 600 {around.path}")


def _misspelt(environ: Mapping[str, str]) -> Iterator[Caution]:
    """Names near ours that nobody reads."""
    for name in environ:
        if meant := meant_by(name):
            message = f"{name} is not read"
            yield Caution(Code.MISSPELT, (name,), message, f"did you mean {meant}?")


def meant_by(name: str) -> str | None:
    """The variable that ``name`` seems to be meant for; None where it is ours, or not near."""
    upper = name.upper()
    if _READ.fullmatch(name) or upper in {*_ELSEWHERE, *_OTHERS, *_IDENTITIES}:
        return None
    parts = _PARTS.fullmatch(upper)
    if parts is None or not upper.startswith(("AZURE", "OPENAI", "AZ_")):
        return None
    stem, number = parts["stem"], parts["number"].lstrip("0")
    known = _PLAIN if stem.startswith("OPENAI") else _NUMBERED
    found = _SYNONYMS.get(stem) or next(iter(get_close_matches(stem, known, 1, _ALIKE)), None)
    if found is None:
        return None
    return f"{found}_{number}" if number and found in _NUMBERED else found


def _homeless(environ: Mapping[str, str]) -> Iterator[Caution]:
    """What is said of a region that has neither key nor endpoint."""
    homes = set(numbers(environ))
    companions = "|".join(name for name, _ in COMPANIONS.values())
    for name in environ:
        found = re.fullmatch(rf"(?:{companions})((?:_[1-9]\d*)?)", name)
        if found and found[1] not in homes:
            message = f"{name} is of a region without key and endpoint, and counts for no other"
            remedy = f"set {KEY}{found[1]} and {ENDPOINT}{found[1]}, or correct its number"
            yield Caution(Code.HOMELESS, (name,), message, remedy)


def _keys(environ: Mapping[str, str]) -> Iterator[Caution]:
    """Keys that do not look like one."""
    for name in _key_names(environ):
        text = environ[name]
        plain = text.strip()
        if text != plain:
            message = f"{name} has blanks around it, which are left out"
            yield Caution(Code.KEY_BLANKS, (name,), message, "paste the key again, without them")
        if plain[0] in _QUOTES or plain[-1] in _QUOTES:
            message = f"{name} begins or ends with a quotation mark, which is sent with it"
            yield Caution(Code.KEY_QUOTED, (name,), message, "leave the quotation marks out")
        elif _PLACEHOLDER.fullmatch(plain):
            message = f"{name} looks like a placeholder"
            yield Caution(Code.KEY_PLACEHOLDER, (name,), message, "paste the key itself")


def _key_names(environ: Mapping[str, str]) -> list[str]:
    return [name for name in environ if re.fullmatch(rf"{KEY}(_[1-9]\d*)?|OPENAI_API_KEY", name)]


def _overridden(
    process: Mapping[str, str], file: Mapping[str, str], path: str
) -> Iterator[Caution]:
    """Variables of this process that are something else in the file."""
    ours = (name for name in file if _READ.fullmatch(name) or name.startswith(PREFIX))
    if names := [name for name in ours if process.get(name, file[name]) != file[name]]:
        message = f"the environment has another {_listed(names)} than {path}, and wins"
        yield Caution(
            Code.OVERRIDDEN, tuple(names), message, "unset it, or take it out of the file"
        )


def _unnumbered(process: Mapping[str, str]) -> Iterator[Caution]:
    """The names without a number are those of other programs too."""
    if ENDPOINT in process and len(numbers(process)) > 1:
        message = f"{ENDPOINT}, without a number, is one more region"
        yield Caution(
            Code.UNNUMBERED, (ENDPOINT,), message, "unset it if it is for another program"
        )


def _of_others(environ: Mapping[str, str], *, proxied: bool) -> Iterator[Caution]:
    """What other programs read and this one does not, or not as they do."""
    groups = [
        (Code.OTHER_PROGRAM, _OTHERS, "not read here", "endpoints are AZURE_OPENAI_ENDPOINT_n"),
        (Code.IDENTITY, _IDENTITIES, "not sent", "use a key of the project that shall pay"),
        (
            Code.CERTIFICATES,
            _CERTIFICATES,
            "what OpenSSL trusts",
            "unset it if you did not set it",
        ),
        (Code.BUNDLE, _BUNDLES, "not read here", "name the file with --ca-file"),
    ]
    if not proxied:
        groups.append((Code.PROXY, _PROXIES, "ignored", "if it is needed, name it with --proxy"))
    for code, names, message, remedy in groups:
        found = [name for name in names for name in (name, name.lower()) if name in environ]
        if found:
            verb = "is" if len(found) == 1 else "are"
            yield Caution(code, tuple(found), f"{_listed(found)} {verb} {message}", remedy)
    if ".azure.com" in environ.get("OPENAI_BASE_URL", "") and "OPENAI_API_KEY" in environ:
        message = "OPENAI_BASE_URL leads to Azure, so that the fallback is no other service"
        remedy = "unset it; regions of Azure are AZURE_OPENAI_ENDPOINT_n"
        yield Caution(Code.FALLBACK_IS_AZURE, ("OPENAI_BASE_URL",), message, remedy)


def _hidden_settings(process: Mapping[str, str]) -> Iterator[Caution]:
    """Settings of this process change what every run does, and stand in no file."""
    if names := sorted(name for name in process if name.startswith(PREFIX)):
        message = f"the environment sets {_listed(names)} for every run"
        yield Caution(Code.SETTINGS, tuple(names), message, "unset what you did not mean")


def _listed(names: Iterable[str], most: int = 6) -> str:
    """Some names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
