"""A run on the simulator takes as long as its plan says, on the virtual clock.

The scenarios are those of ``benchmarks/plan.py``, which runs them in real time.
"""

import tomllib
from random import Random

import pytest

from batchrunner.inputs.tokens import estimate
from batchrunner.planning.earlier import Earlier, learned
from batchrunner.planning.forecast import forecast
from batchrunner.planning.lengths import Lengths
from batchrunner.planning.limits import known_limits
from batchrunner.planning.probe import ask_all
from batchrunner.planning.rehearsal import World
from batchrunner.planning.sample import Ask
from batchrunner.prices import PriceList
from benchmarks.plan import CASES, SEED, WITHIN
from tests import virtual
from tests.world import MODEL
from tests.world import World as Simulated


def simulated(case, counting):
    scenario = {"seed": SEED, **tomllib.loads(case.scenario)}
    for target in [*scenario["regions"], scenario.get("openai", {})]:
        target["counting"] = counting
    if "openai" in scenario and len(scenario["openai"]) == 1:
        del scenario["openai"]
    return Simulated(scenario, concurrency=case.concurrency)


def plan(case, jobs, counting):
    """What is planned after three calls to each region, and a trial where there is one."""
    asked = simulated(case, counting)
    probed = virtual.run(ask_all(asked.caller.send, list(asked.targets), MODEL))
    earlier = Earlier()
    if case.has_trial:
        trial = simulated(case, counting)
        virtual.run(trial.run(jobs[:200]))
        earlier = learned(trial.stats, {MODEL: trial.stats.models}, {})
    targets = asked.settings.targets
    asks = [
        Ask(one.path, one.model, len(one.body), estimate(one.path, one.body), one.answer_tokens)
        for one in jobs
    ]
    known = known_limits(targets, earlier.regions, probed)
    world = World(asked.settings, known, Lengths(earlier.lengths).fitted(asks[:200]))
    return forecast(world, asks, len(jobs), len(jobs), PriceList.of(targets))


@pytest.mark.parametrize("counting", ["fixed", "sliding", "bucket"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_run_takes_as_long_as_was_planned(case, counting):
    """Each is a run of some minutes and its rehearsal, and takes half a second or one."""
    jobs = case.jobs(Random(SEED))
    planned = plan(case, jobs, counting)

    real = simulated(case, counting)
    took = virtual.run(real.run(jobs))

    assert len(real.results) == len(jobs)
    assert planned.seconds == pytest.approx(took, rel=WITHIN)
    for name, share in planned.regions.items():
        assert share.jobs == pytest.approx(real.stats.region(name).ok, abs=0.13 * len(jobs))
