"""Imports go one way: a module knows those below it, and nothing of those above."""

import ast
from functools import cache
from pathlib import Path

import pytest

import batchrunner

PACKAGE = Path(batchrunner.__file__).parent

# From the bottom to the top. A module may import those before it, and no others; a new module
# belongs in here before it works.
LAYERS = """
    errors values model terminal

    policy
    policy.ratelimit policy.window policy.answer policy.choices policy.verdict policy.discovery
    policy.adaptive policy.breaker policy.retry policy.estimate policy.calibration
    policy.account policy.governor policy.budget policy.axis policy.pace
    policy.quota policy.region policy.lease policy.tier policy.router policy.helm

    endpoints tls rates deadline targets settings config ownership environment

    inputs
    inputs.strictness inputs.schema
    inputs.tokens inputs.strict inputs.splitting inputs.request inputs.sameness
    inputs.duplicates inputs.identity
    inputs.broken inputs.shape
    inputs.defaults inputs.bodies inputs.special
    inputs.budget inputs.filters inputs.sandbox inputs.grammar inputs.template inputs.contents
    inputs.jsonl inputs.packing inputs.source inputs.remote
    inputs.dialect inputs.rows inputs.csvfile inputs.parquet inputs.opening
    inputs.glimpse
    inputs.staging inputs.survey inputs.feed

    outputs
    outputs.disk outputs.mounts outputs.lines outputs.done outputs.lock
    outputs.publish outputs.aside outputs.checkpoint
    outputs.results_file outputs.places outputs.lookup outputs.foreign outputs.found
    outputs.survey outputs.torn outputs.recovery
    outputs.index outputs.shelf
    outputs.tape outputs.group outputs.writer outputs.journal

    sdk faults timeouts idle transport wire histogram examples caps stats timeline prices

    spending channel orders
    lanes pool hedge answers caller runner
    telemetry telemetry.spans telemetry.export
    fleet

    paths identity summary eta problems selection counted ledger gate reuse twins supervisor curfew
    steering control signals

    report
    report.remedies report.wording report.material report.spans report.finding
    report.allowance report.regions report.advice
    report.story report.figures report.charts report.assets report.page report.gather

    publishing
    telemetry.metrics telemetry.scraping telemetry.endpoint
    growth verify status
    report.recall

    planning
    planning.clock planning.spread planning.latency planning.sample planning.lengths
    planning.limits planning.earlier planning.service planning.rehearsal planning.forecast
    planning.changes planning.bottleneck planning.words planning.plan

    tables
    tables.digits tables.types tables.rows tables.schema tables.guess tables.defuse tables.draft
    tables.csv_writer tables.jsonl_writer tables.parquet_writer tables.formats
    tables.reader tables.columns tables.input_rows
    tables.exported tables.joining tables.refusals tables.batch_output
    intake export again meanings explanation explain

    doctor
    doctor.asking doctor.limits doctor.place doctor.remedies doctor.diagnosis
    doctor.examination doctor.caution doctor.cautions doctor.findings
    doctor.surroundings doctor.variables doctor.looking doctor.probing

    views
    views.log views.words views.gauge views.record views.line views.screen
    views.live
    views.live.cells views.live.head views.live.columns views.live.frame views.live.painter
    views.progress views.ending
    views.findings views.following views.explained views.checkup views.plan views.state

    batch streaming completion
    planning.probe planning.gather

    commands
    commands.talk commands.simulate commands.sources commands.run commands.results commands.export
    commands.follow commands.explain commands.retry commands.doctor commands.plan commands.ctl
    commands.report
    cli.app cli.options cli.running cli.results cli.retrying cli.export cli.doctor cli.planning
    cli.ctl cli.report cli __main__
""".split()  # noqa: SIM905 - a picture is easier to read than quotes


def name_of(path):
    """The module's name inside the package; the package itself has the empty name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
SIMULATOR = [name for name in MODULES if name.split(".")[0] == "simulator"]
PROGRAM = [name for name in MODULES if name and name not in SIMULATOR]


@cache
def tree_of(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def internal_imports(name):
    """The modules of the package that a module imports, be it late or early."""
    used = {
        target
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for target in targets(name, node)
    }
    return sorted(used)


def targets(name, node):
    """The modules of the package that one import statement names."""
    if isinstance(node, ast.Import):
        found = [alias.name.split(".") for alias in node.names]
    else:
        base = [*home(name, node.level), *(node.module or "").split(".")]
        found = [[*filter(None, base), alias.name] for alias in node.names]
    for parts in found:
        if parts[0] == "batchrunner":
            target = ".".join(parts[1:])
            yield target if target in MODULES else target.rpartition(".")[0]


def home(name, level):
    """Where a relative import begins."""
    if not level:
        return []
    package = ["batchrunner", *name.split(".")] if name else ["batchrunner"]
    if MODULES[name].name == "__init__.py":
        level -= 1
    return package[: len(package) - level]


@pytest.mark.parametrize("name", PROGRAM)
def test_a_module_imports_only_what_is_below_it(name):
    assert name in LAYERS, f"{name} has no layer yet: say above where it belongs"
    for used in internal_imports(name):
        if used not in SIMULATOR:
            assert used in LAYERS[: LAYERS.index(name)], f"{name} must not import {used or 'all'}"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_no_longer_than_a_few_screens(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= 300


def test_every_layer_is_a_module_and_has_one_place():
    assert sorted(LAYERS) == sorted(PROGRAM)


@pytest.mark.parametrize("name", SIMULATOR)
def test_the_simulator_imports_nothing_else_of_the_package(name):
    assert set(internal_imports(name)) <= set(SIMULATOR)


def test_only_the_commands_know_the_simulator():
    users = [name for name in PROGRAM if set(internal_imports(name)) & set(SIMULATOR)]

    assert users == ["commands.doctor", "commands.simulate", "commands.sources"]


def test_the_package_itself_imports_nothing_until_it_is_asked():
    statements = tree_of("").body
    now = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]

    assert {node.module for node in now} == {"importlib", "typing"}


def test_every_kind_of_import_is_seen(monkeypatch, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import batchrunner.pool\n"
        "import orjson, batchrunner.caller as caller\n"
        "from . import survey, Unknown\n"
        "from ..model import Job\n"
        "from .. import runner\n"
        "from ..outputs import checkpoint\n"
        "from batchrunner.policy.quota import Quota\n"
        "def late():\n"
        "    from ..wire import Wire\n"
        "from openai import model\n"
    )
    monkeypatch.setitem(MODULES, "inputs.fresh", path)

    assert internal_imports("inputs.fresh") == [
        "caller",
        "inputs",
        "inputs.survey",
        "model",
        "outputs.checkpoint",
        "policy.quota",
        "pool",
        "runner",
        "wire",
    ]
