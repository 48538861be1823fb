"""The price list is whole before the first answer: then there may be no descriptor left."""

import subprocess
import sys

PROGRAM = """
import resource, sys
from batchrunner.model import Usage
from batchrunner.prices import PriceList

prices = PriceList({"a": "azure"})
prices.load()
before = set(sys.modules)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
print(prices.answer("a", "gpt-4o", Usage("gpt-4o", 1000, 100)), set(sys.modules) - before)
"""


def test_no_part_of_the_price_list_is_loaded_while_answers_come_in():
    done = subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.stdout, done.stderr) == ("0.0035 set()\n", "")
