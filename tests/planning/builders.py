"""Short ways to say what is planned."""

from batchrunner.config import read_settings
from batchrunner.model import CHAT
from batchrunner.planning.lengths import Lengths
from batchrunner.planning.limits import Known
from batchrunner.planning.rehearsal import World
from batchrunner.planning.sample import Ask, Sample
from batchrunner.policy.ratelimit import Limit

MODEL = "gpt-4o-mini"


def ask(*, size=400, prompt=80, cap=200, model=MODEL, path=CHAT):
    return Ask(path, model, size, prompt, cap)


def known(rpm=None, tpm=None, **more):
    requests, tokens = (None if n is None else Limit(n, 60) for n in (rpm, tpm))
    return Known(requests, tokens, source="probe", **more)


def world(*regions, openai=None, lengths=None, environ=None, **options):
    """Regions a, b, c …, each of which is a ``Known``; ``openai`` is one too."""
    names = [chr(ord("a") + n) for n in range(len(regions))]
    variables = {"OPENAI_API_KEY": "k"} if openai else {}
    for number, name in enumerate(names, 1):
        variables |= {
            f"AZURE_OPENAI_API_KEY_{number}": "k",
            f"AZURE_OPENAI_ENDPOINT_{number}": f"https://{name}.openai.azure.com",
        }
    settings = read_settings(options, variables | (environ or {}), {})
    found = dict(zip(names, regions, strict=True)) | ({"openai": openai} if openai else {})
    return World(settings, found, lengths or Lengths())


def sample(asks, lines=None, **more):
    lines = len(asks) if lines is None else lines
    return Sample("jobs.jsonl", lines=lines, parsed=lines, asks=asks, **more)
