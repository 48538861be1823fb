"""What a template may consist of.

The walk over the template refuses what a prompt does not need, before there is a row; what is left
is rewritten so that every loop, every comparison and every text that is made pays its budget.
"""

import math
from functools import cache

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.visitor import NodeTransformer

from .filters import CONCAT, FILTERS, LOOKED, SLICE, TAKE_TURNS
from .sandbox import TESTS, Sandbox
from .strict import quoted

ROW = "row"  #: the whole row, for columns whose names are no identifiers; also of a column ``row``
LONGEST = 1024 * 1024  #: characters of a template
MOST_TOKENS = 10_000  #: of what stands in its braces; what is read of them takes a second

_PLAIN = (nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Neg)
_ALLOWED = frozenset(
    {
        *_PLAIN,
        *(nodes.Template, nodes.TemplateData, nodes.Output, nodes.If, nodes.For, nodes.With),
        *(nodes.Assign, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice),
        *(nodes.Filter, nodes.Test, nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand),
        *(nodes.Not, nodes.And, nodes.Or, nodes.Concat, nodes.Pos),
        *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow),
    }
)
_REASONS: dict[type[nodes.Node], str] = {
    nodes.Call: "nothing can be called: there are filters, as in {{ name | upper }} or"
    " {{ meta | items }}",
    nodes.AssignBlock: "{% set %} needs a value, as in {% set name = title %}",
    **dict.fromkeys(
        (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block),
        "no other template can be used: write everything into this one",
    ),
}


class BadTemplateError(ValueError):
    """A text is no template that can be used: where it stands, and why, in one line."""

    def __init__(self, place: str, line: int, reason: str) -> None:
        super().__init__(f"{place}, line {line}: {reason}")


@cache
def _sandbox() -> Sandbox:
    return Sandbox()


def compiled(place: str, source: str) -> tuple[Template, frozenset[str]]:
    """The template and the columns that it needs; BadTemplateError names the line."""
    if len(source) > LONGEST:
        raise BadTemplateError(place, 1, f"a template has {LONGEST:,} characters at most")
    sandbox = _sandbox()
    try:
        _measured(sandbox, source, place)
        tree = sandbox.parse(source)
        _checked(tree, place)
        columns = _columns(tree)
        _Paying().visit(tree)
        tree.set_environment(sandbox)
        return sandbox.from_string(tree), columns
    except TemplateSyntaxError as error:
        raise BadTemplateError(place, error.lineno, _syntax(error)) from None
    except (RecursionError, SyntaxError, MemoryError):
        raise BadTemplateError(place, 1, "is nested too deeply: write it flat") from None
    except BadTemplateError:
        raise
    except (ValueError, OverflowError):  # of a number with thousands of digits
        raise BadTemplateError(place, 1, "holds a number that is too large") from None


def _measured(sandbox: Sandbox, source: str, place: str) -> None:
    """Refuse a template that would take long to read."""
    for number, (line, _, _) in enumerate(sandbox.lex(source)):
        if number == MOST_TOKENS:
            reason = f"has more than {MOST_TOKENS:,} names and signs in braces: write less"
            raise BadTemplateError(place, line, reason)


def _syntax(error: TemplateSyntaxError) -> str:
    text = " ".join(str(error.message).split())
    hint = "; braces that are none of a template stand between {% raw %} and {% endraw %}"
    return f"is no template: {text[:1].lower()}{text[1:200]}{hint}"


def _checked(tree: nodes.Template, place: str) -> None:
    """Refuse what a template may not have in it."""
    for node in tree.find_all(nodes.Node):
        reason = _no_part(node) or _no_name(node) or _no_shape(node)
        if reason:
            raise BadTemplateError(place, node.lineno or 1, reason)


def _no_part(node: nodes.Node) -> str | None:
    if type(node) in _ALLOWED:
        return None
    name = type(node).__name__.lower()
    return _REASONS.get(type(node), f"{name!r} is nothing that a prompt can use")


def _no_name(node: nodes.Node) -> str | None:
    match node:
        case nodes.Filter() if node.name not in FILTERS:
            return f"there is no filter {quoted(node.name)}; there are: {', '.join(FILTERS)}"
        case nodes.Test() if node.name not in TESTS:
            return f"there is no test {quoted(node.name)}; there are: {', '.join(TESTS)}"
        case nodes.Name() if node.name == "self":
            return 'self means nothing here; a column of this name is {{ row["self"] }}'
        case _:
            return None


def _no_shape(node: nodes.Node) -> str | None:
    match node:
        case nodes.Const(value=float(number)) if not math.isfinite(number):
            return "holds a number that is too large"
        case nodes.For() if node.recursive:
            return "a loop cannot be recursive"
        case nodes.Filter() | nodes.Test() if node.dyn_args or node.dyn_kwargs:
            return "* and ** cannot be used: write each argument"
        case nodes.List() | nodes.Dict() | nodes.Tuple() if not _is_plain(node):
            return "a list or an object that is written out holds constants only"
        case _:
            return None


def _is_plain(node: nodes.List | nodes.Dict | nodes.Tuple) -> bool:
    """Whether a collection is made of constants; the targets of a loop are no collection.

    Collections of variables could double with each line, to any size.
    """
    is_target = isinstance(node, nodes.Tuple) and node.ctx == "store"
    return is_target or all(isinstance(part, _PLAIN) for part in node.find_all(nodes.Node))


def _columns(tree: nodes.Template) -> frozenset[str]:
    """The columns that every row must have."""
    names = find_undeclared_variables(tree) - {ROW}
    owned = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    if ROW not in owned:
        places = tree.find_all((nodes.Getattr, nodes.Getitem))
        names |= {column for node in places if (column := _of_row(node)) is not None}
    asked = {_of_row(test.node) for test in tree.find_all(nodes.Test) if _asks(test)}
    given = {_of_row(node.node) for node in tree.find_all(nodes.Filter) if _gives(node)}
    return frozenset(names) - asked - given


def _asks(test: nodes.Test) -> bool:
    return test.name in ("defined", "undefined")


def _gives(node: nodes.Filter) -> bool:
    return node.name in ("default", "d")


def _of_row(node: nodes.Node | None) -> str | None:
    """The column that ``title``, ``row.title`` or ``row["title"]`` is."""
    match node:
        case nodes.Name() if node.name != ROW:
            return node.name
        case nodes.Getattr(node=nodes.Name(name="row")):
            return node.attr
        case nodes.Getitem(node=nodes.Name(name="row"), arg=nodes.Const(value=str(name))):
            return name
        case _:
            return None


class _Paying(NodeTransformer):
    """Lets loops, comparisons and the making of texts pay."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja2's name
        self.generic_visit(node)
        node.iter = _filtered(node.iter, TAKE_TURNS)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - Jinja2's name
        self.generic_visit(node)
        first, *others = node.nodes
        return _filtered(first, CONCAT, *others)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802 - Jinja2's name
        self.generic_visit(node)
        node.expr = _filtered(node.expr, LOOKED)
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, LOOKED)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802 - Jinja2's name
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        ends = (node.arg.start, node.arg.stop, node.arg.step)
        return _filtered(node.node, SLICE, *(end or nodes.Const(None) for end in ends))


def _filtered(node: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)
