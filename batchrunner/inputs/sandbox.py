"""Where templates are rendered: they see the values of a row, a few filters, and nothing else.

Jinja2's own sandbox is the second wall. The first one is that there is nothing behind it: an
attribute is a key of a JSON object and never one of Python's, nothing is called, no names are
known but those of the row. Whatever makes texts or takes turns pays from a budget before it does
so; no rendering can take more time or memory than its budget has, by construction and without a
clock.
"""

from typing import Any, NoReturn

from jinja2 import StrictUndefined
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as OF_JINJA

from .filters import BITS, FILTERS, INTERNAL, budget_of, number, shown
from .strict import RefusedError

#: tests that only look at what a value is; ``odd``, for one, would run ``%`` on a text
TESTS = (
    *("boolean", "defined", "false", "float", "integer", "mapping"),
    *("none", "number", "sequence", "string", "true", "undefined"),
)
_OF_A_LOOP = frozenset(
    {
        *("index", "index0", "revindex", "revindex0", "first", "last", "length"),
        *("depth", "depth0", "previtem", "nextitem"),
    }
)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all templates of rows."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    intercepted_unops = frozenset(ImmutableSandboxedEnvironment.default_unop_table)

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            finalize=shown,
            autoescape=False,
            keep_trailing_newline=True,
            optimized=False,  # it would work out constants before there is a budget
            cache_size=0,
        )
        self.globals.clear()
        self.filters = {**FILTERS, **INTERNAL}
        self.tests = {name: OF_JINJA[name] for name in TESTS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A value of an object of JSON; nothing of Python."""
        if isinstance(obj, LoopContext) and attribute in _OF_A_LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A value of an object, or of a list by its number."""
        if isinstance(obj, Undefined):
            return obj  # what is missing first is named, and 'is defined' may ask for the end
        is_number = type(argument) is int and isinstance(obj, list | tuple | str)
        if is_number or (type(argument) is str and isinstance(obj, dict)):
            try:
                return obj[argument]
            except LookupError:
                pass
        return self.undefined(obj=obj, name=argument)

    def call(self, *_arguments: Any, **_more: Any) -> NoReturn:
        """Refuse; the walk over the template has done so already."""
        raise RefusedError("calls something: nothing can be called")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers that stay sane; ``+`` joins two texts as well."""
        if operator == "+" and type(left) is type(right) is str:
            budget_of(context).make(len(left) + len(right))
            return left + right
        left, right = number(left, operator), number(right, operator)
        if operator == "**" and abs(right) > BITS:
            raise RefusedError(f"takes the power {right}: {BITS} is the most")
        return number(self.binop_table[operator](left, right), operator)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:  # noqa: ARG002  # Jinja2's
        """A number with its sign."""
        return number(self.unop_table[operator](number(arg, operator)), operator)
