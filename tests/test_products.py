"""The example in jobs/: its commands, as its page has them, and what comes out."""

import csv
import re
import shlex
from pathlib import Path

import orjson
import pytest
from pyarrow import parquet

from tests import test_run

place, batchrunner = test_run.place, test_run.batchrunner

JOBS = Path(__file__).parents[1] / "jobs"
COMMANDS = [
    shlex.split(line)[1:]
    for line in re.findall(
        r"^batchrunner .*", (JOBS / "README.md").read_text("utf-8"), re.MULTILINE
    )
    if "products" in line
]
SCHEMA = orjson.loads((JOBS / "products-schema.json").read_bytes())


@pytest.fixture
def made(batchrunner):
    """The exit codes of the commands; the simulator of the tests is faster than the page's."""
    Path("jobs").symlink_to(JOBS)
    swift = {"--simulate": "--simulate=swift.toml"}
    return [batchrunner(*(swift.get(word, word) for word in command))[0] for command in COMMANDS]


def rows_of(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_comes_back_with_a_column_for_each_property(made):
    products = rows_of(JOBS / "products.csv")

    assert made == [0, 0, 0]
    table = parquet.read_table("products.parquet")
    assert table.column_names == [*products[0], *SCHEMA["properties"]]
    assert table.column("text").to_pylist() == [row["text"] for row in products]
    assert table.column("price").to_pylist() == [float(row["price"]) for row in products]
    categories = SCHEMA["properties"]["category"]["enum"]
    assert set(table.column("category").to_pylist()) <= set(categories)
    assert all(0 <= sure <= 1 for sure in table.column("confidence").to_pylist())


def test_the_csv_is_the_same_table_without_formulas(made):
    products, table = rows_of(JOBS / "products.csv"), rows_of("products.csv")

    assert made == [0, 0, 0]
    assert [row["sku"] for row in table] == [row["sku"] for row in products]
    changed = [
        (old["text"], new["text"])
        for old, new in zip(products, table, strict=True)
        if old["text"] != new["text"]
    ]
    assert len(changed) == 1
    assert changed[0][0].startswith("=SUM(A1:A9)")
    assert changed[0][1] == "'" + changed[0][0]
