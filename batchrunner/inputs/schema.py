"""What answers must look like: a JSON Schema, from a file or a pydantic model.

Nothing is fetched for it, neither from the network nor from other files: a schema stands whole,
and every ``$ref`` in it points into itself.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import orjson
from pydantic import BaseModel

from ..errors import ConfigError
from .strictness import is_strict, resolve, strict_form

LONGEST_NAME = 64
_MODEL = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]+")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_LITERALS = frozenset({"const", "enum", "default", "examples"})  #: they hold values, not schemas
_BOM = b"\xef\xbb\xbf"


def load(reference: str) -> dict[str, Any]:
    """The schema in a file, or that of ``module:Model``, a pydantic model; ConfigError otherwise.

    A module is looked for in the current directory too. The schema of a model is made strict
    where that is possible: then every field must be given, also one that has a default.
    """
    path = Path(reference)
    if _MODEL.fullmatch(reference) and not path.exists():
        schema = _of_model(reference)
    else:
        schema = _of_file(path)
    return _rooted(_checked(schema, reference), reference)


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a chat completion is asked for, so that its answer follows ``schema``.

    ``strict`` is asked for exactly where the schema keeps to what the services can enforce; any
    other schema they only try to follow.
    """
    title = schema.get("title")
    name = _UNSAFE.sub("_", title).strip("_")[:LONGEST_NAME] if isinstance(title, str) else ""
    content = {"name": name or "answer", "strict": is_strict(schema), "schema": dict(schema)}
    return {"type": "json_schema", "json_schema": content}


def _of_file(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"--schema: there is no file {path}: give a JSON Schema, or module:PydanticModel"
        ) from None
    except OSError as error:
        raise ConfigError(f"--schema: {path} cannot be read: {error.strerror}") from None
    content = content.removeprefix(_BOM)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"--schema: {path} is not UTF-8 at byte {error.start + 1}: save it as UTF-8"
        ) from None
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"--schema: {path} is not JSON at line {error.lineno}, column {error.colno}: "
            f"{error.msg}"
        ) from None


def _of_model(reference: str) -> Any:
    model = _found(reference)
    if not (inspect.isclass(model) and issubclass(model, BaseModel)):
        raise ConfigError(f"--schema: {reference} is no pydantic model: name a BaseModel class")
    try:
        schema = model.model_json_schema()
    except Exception as error:  # noqa: BLE001 - the model's own code runs here
        _refuse_import(reference, error)
    strict = strict_form(schema)
    return strict if is_strict(strict) else schema


def _found(reference: str) -> Any:
    """The object that ``module:name.name`` names."""
    module, _, names = reference.partition(":")
    try:
        with _current_directory():
            found: Any = importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - the module's own code runs here
        _refuse_import(reference, error)
    for name in names.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ConfigError(f"--schema: {reference}: there is no {name} in {module}") from None
    return found


def _refuse_import(reference: str, error: Exception) -> NoReturn:
    raise ConfigError(
        f"--schema: {reference} cannot be used: {type(error).__name__}: {error}"
    ) from error


@contextmanager
def _current_directory() -> Iterator[None]:
    """Modules of the current directory can be imported."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _checked(schema: Any, reference: str) -> dict[str, Any]:
    """``schema``, if it is one and stands whole."""
    from jsonschema_rs import ReferencingError, ValidationError, validator_for

    place = f"--schema: {reference}"
    if not isinstance(schema, dict):
        raise ConfigError(f"{place} is no JSON Schema: it must be an object")
    try:
        orjson.dumps(schema)
    except TypeError:
        raise ConfigError(f"{place} is nested too deeply, or holds what is no JSON") from None
    for target in _references(schema):
        if not target.startswith("#"):
            raise ConfigError(
                f'{place}: $ref {target!r} leads out of the schema: put it under "$defs" and '
                'point to it with "#/$defs/…"; nothing is fetched'
            )
    try:
        validator_for(schema, retriever=_nothing)
    except ValidationError as error:
        where = "".join(f"/{part}" for part in error.instance_path) or "its root"
        raise ConfigError(f"{place} is no JSON Schema, at {where}: {error.message}") from None
    except (ReferencingError, ValueError) as error:
        raise ConfigError(f"{place} is no JSON Schema: {error}") from None
    return schema


def _references(value: Any) -> Iterator[str]:
    """Where the references of a schema lead."""
    if isinstance(value, list):
        for part in value:
            yield from _references(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key in _REFERENCES and isinstance(part, str):
                yield part
            elif key not in _LITERALS:
                yield from _references(part)


def _nothing(uri: str) -> NoReturn:
    raise ValueError(f"nothing is fetched, and {uri} is elsewhere")


def _rooted(schema: dict[str, Any], reference: str) -> dict[str, Any]:
    """The same with an object at its root, as the services want it; ``$ref`` is followed."""
    found = resolve(schema, schema)
    if found is None or found.get("type") != "object":
        raise ConfigError(
            f'--schema: {reference}: an answer must be an object: write "type": "object" at the '
            "root, and put a list or a text into one of its properties"
        )
    if found is schema:
        return schema
    return {**found, **{key: part for key, part in schema.items() if key != "$ref"}}
