"""What the first pass finds out before anything is sent."""

import gzip
import os
import tempfile
from collections import Counter
from pathlib import Path

import anyio
import pytest

from batchrunner.errors import DiskError, InputError, UsageError
from batchrunner.inputs.defaults import Defaults
from batchrunner.inputs.duplicates import Seen
from batchrunner.inputs.feed import Feed
from batchrunner.inputs.identity import identify
from batchrunner.inputs.jsonl import fingerprint
from batchrunner.inputs.source import BLOCK, Source
from batchrunner.inputs.staging import staged
from batchrunner.inputs.survey import survey

pytestmark = pytest.mark.socket

JOBS = Path(__file__).parents[2] / "jobs"
DEFAULTS = Defaults(model="m")


def prompt(number):
    return b'{"id": "n%d", "prompt": "a"}\n' % number


@pytest.fixture
def write(tmp_path):
    def write(*lines, name="in.jsonl"):
        path = tmp_path / name
        path.write_bytes(b"".join(lines))
        return path

    return write


async def test_it_counts(write):
    path = write(prompt(0), b"\n", b'{"prompt": "a", "model": "other"}\r\n', b"  \n", prompt(1))

    found = await survey(path, DEFAULTS)

    assert (found.jobs, found.lines, found.bad_count) == (3, 5, 0)
    assert found.models == Counter({"m": 2, "other": 1})
    assert (found.bad, found.duplicates) == ({}, [])


@pytest.mark.parametrize("content", [b"", b"\n\n  \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
async def test_nothing_in_it_is_no_error(write, content):
    found = await survey(write(content), DEFAULTS)

    assert (found.jobs, found.bad_count) == (0, 0)


async def test_a_mark_at_the_start_and_a_missing_newline_at_the_end(write):
    found = await survey(write(b"\xef\xbb\xbf", prompt(0), prompt(1).rstrip()), DEFAULTS)

    assert (found.jobs, found.lines, found.bad_count) == (2, 2, 0)


async def test_every_bad_line_is_named_as_an_editor_counts_lines(write):
    path = write(prompt(0), b"[]\n", b"\n", b"{\n", prompt(1))

    found = await survey(path, DEFAULTS)

    assert found.jobs == 2
    assert found.bad_message().splitlines() == [
        f"{path}: 2 lines cannot be a job",
        'line 2: is a list, not a job: write an object such as {"prompt": "…"}',
        "line 4: ends in the middle of the JSON: a job must stand whole on one line",
        "nothing was sent: correct these lines, or use --bad-lines record to go on without",
    ]


async def test_ten_thousand_bad_lines_are_counted_and_not_kept(write):
    found = await survey(write(prompt(0), b"[]\n" * 10_000), DEFAULTS)

    assert (found.bad_count, len(found.bad)) == (10_000, 1000)
    message = found.bad_message().splitlines()
    assert message[0].endswith("10,000 lines cannot be a job")
    assert message[-2] == "… and 9,900 more"
    assert len(message) == 103


async def test_a_file_of_another_kind_is_one_error(write):
    path = write(b"id,prompt\n", b"1,Hello\n" * 999, prompt(1))

    with pytest.raises(InputError) as caught:
        await survey(path, DEFAULTS)
    assert str(caught.value) == (
        f"{path} is no JSON Lines file: none of its first 1,000 lines is a job;"
        " line 1 is not JSON at column 1: expecting value"
    )


async def test_999_bad_lines_and_then_a_job_are_999_bad_lines(write):
    found = await survey(write(b"[]\n" * 999, prompt(1)), DEFAULTS)

    assert (found.jobs, found.bad_count) == (1, 999)


async def test_a_missing_model_is_told_with_its_remedy(write):
    found = await survey(write(b'{"prompt": "a"}\n'))

    assert "line 1: model is missing: write it, or use --model" in found.bad_message()


async def test_an_id_twice_is_told_with_both_lines(write):
    path = write(prompt(0), prompt(1), b"\n", prompt(0), prompt(2), prompt(0), prompt(2))

    found = await survey(path, DEFAULTS)

    assert found.duplicate_message().splitlines() == [
        f"{path}: ids must be unique",
        "line 4: the id 'n0' is that of line 1",
        "line 6: the id 'n0' is that of line 1",
        "line 7: the id 'n2' is that of line 5",
        "nothing was sent: give each line an id of its own, or leave all ids out",
    ]


@pytest.mark.parametrize("again", [b'"2"', b"2"])
async def test_the_number_of_a_line_without_id_can_be_taken(write, again):
    path = write(b'{"id": %s, "prompt": "a"}\n' % again, b"\n", b'{"prompt": "a"}\n')

    (twin,) = (await survey(path, DEFAULTS)).duplicates

    assert (twin.id, twin.first, twin.again) == ("2", 0, 2)


async def test_duplicates_are_kept_up_to_a_thousand(write):
    found = await survey(write(*map(prompt, range(3000)), *map(prompt, range(3000))), DEFAULTS)

    assert (len(found.duplicates), found.duplicate_count) == (1000, 3000)
    assert found.duplicate_message().splitlines()[-2] == "… and 2,900 more"
    assert {twin.again - twin.first for twin in found.duplicates} == {3000}


@pytest.mark.parametrize(
    ("limit", "jobs", "bad"), [(0, 0, 0), (1, 1, 0), (2, 1, 1), (3, 2, 1), (9, 3, 1)], ids=str
)
async def test_the_limit_is_that_of_the_feed(write, limit, jobs, bad):
    path = write(prompt(0), b"\n", b"[]\n", prompt(1), prompt(0))

    found = await survey(path, DEFAULTS, limit)
    async with Source(path) as source:
        fed = [job.ordinal async for job in Feed(source, DEFAULTS, limit=limit)]

    assert (found.jobs, found.bad_count) == (jobs, bad)
    assert len(fed) == jobs + bad
    assert len(found.duplicates) == (limit == 9)
    assert found.lines == {0: 0, 1: 1, 2: 3, 3: 4, 9: 5}[limit]


async def test_a_limit_counts_over_blocks_and_what_follows_it_is_no_line(write):
    path = write(*(b"%1000s\n\n%s" % (b"[]", prompt(n)) for n in range(1500)))

    found = await survey(path, DEFAULTS, 2500)

    assert path.stat().st_size > BLOCK
    assert (found.jobs, found.bad_count, found.lines) == (1250, 1250, 3750)


async def test_a_limit_that_is_reached_where_a_block_ends_keeps_its_lines(write):
    path = write(b'{"prompt": "%s"}\n' % (b"a" * (BLOCK - 15)), prompt(1))
    assert path.read_bytes()[BLOCK - 1 : BLOCK] == b"\n"

    found = await survey(path, DEFAULTS, 1)

    assert (found.jobs, found.lines) == (1, 1)


async def test_what_is_done_is_checked_but_wants_no_model_any_more(write):
    path = write(prompt(0), b"[]\n", b"\n", prompt(1), prompt(1))
    asked = []

    def done(ordinal, mark):
        asked.append((ordinal, mark))
        return ordinal in {1, 3}

    found = await survey(path, DEFAULTS, done=done)

    assert (found.jobs, found.done, found.bad_count) == (3, 1, 1)
    assert found.models == Counter({"m": 2})
    assert len(found.duplicates) == 1
    assert asked == [
        (0, fingerprint(prompt(0))),
        (1, fingerprint(b"[]")),
        (3, fingerprint(prompt(1))),
        (4, fingerprint(prompt(1))),
    ]


async def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        await survey(tmp_path / "none.jsonl", DEFAULTS)


class TestSeen:
    def test_it_suspects_what_came_twice(self):
        seen = Seen()
        for number in [*range(100_000), 17, 4711, 17]:
            seen.add(str(number))

        assert set(seen.suspects()) == {hash("17"), hash("4711")}

    def test_it_needs_little_more_than_eight_bytes_for_an_id(self):
        seen = Seen()
        for number in range(200_000):
            seen.add(str(number))

        assert sum(bucket.__sizeof__() for bucket in seen._buckets) < 200_000 * 10

    def test_a_suspicion_is_no_proof(self):
        seen = Seen(hashed=len)
        for name in ("a", "b", "cc"):
            seen.add(name)

        assert set(seen.suspects()) == {1}


class TestIdentity:
    async def test_it_stays_while_the_file_does(self, write):
        path = write(prompt(0))

        assert await identify(path) == await identify(path)
        assert (await survey(path, DEFAULTS)).identity == await identify(path)

    async def test_an_edit_of_the_same_length_changes_it(self, write):
        before = await identify(write(prompt(0)))

        assert (await identify(write(prompt(1)))).head != before.head

    async def test_a_file_that_has_grown_is_known_by_its_old_size(self, write):
        before = await identify(write(prompt(0)))
        path = write(prompt(0), prompt(1))

        assert (await identify(path)).head != before.head
        assert (await identify(path, before.size)).head == before.head

    async def test_a_file_that_is_gone(self, tmp_path):
        with pytest.raises(UsageError, match="cannot be read: No such file"):
            await identify(tmp_path / "none")

    async def test_the_head_is_a_mebibyte(self, write):
        before = await identify(write(b"x" * 2**20))

        assert (await identify(write(b"x" * 2**20, b"y"))).head == before.head
        assert (await identify(write(b"x" * 2**20, b"y"), 2**30)).head == before.head
        assert (await identify(write(b"x" * (2**20 - 1), b"yy"))).head != before.head


class TestStaging:
    async def test_a_file_stays_where_it_is(self, write):
        path = write(prompt(0))

        async with staged(path) as same:
            assert same == path
        assert path.exists()

    async def test_standard_input_can_be_read_twice_and_by_nobody_else(self, piped):
        async with staged("-", piped(prompt(0) + prompt(1))) as path:
            assert path.stat().st_mode & 0o777 == 0o600
            for _ in range(2):
                assert (await survey(path, DEFAULTS)).jobs == 2
        assert not path.exists()

    async def test_standard_input_may_be_a_file(self, write):
        with write(prompt(0) + prompt(1)).open("rb") as file:
            async with staged("-", file.fileno()) as path:
                assert (await survey(path, DEFAULTS)).jobs == 2

    async def test_standard_input_may_be_packed(self, piped):
        async with staged("-", piped(gzip.compress(prompt(0)))) as path:
            assert (await survey(path, DEFAULTS)).jobs == 1
        assert not path.exists()

    @pytest.mark.parametrize("content", [b"", b"\n"])
    async def test_standard_input_may_be_empty(self, piped, content):
        async with staged("-", piped(content)) as path:
            assert (await survey(path, DEFAULTS)).jobs == 0

    async def test_what_cannot_be_read_leaves_nothing_behind(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        folder = os.open(tmp_path, os.O_RDONLY)
        try:
            with pytest.raises(DiskError, match="Is a directory; make room, or set TMPDIR"):
                async with staged("-", folder):
                    pass
        finally:
            os.close(folder)
        assert list(tmp_path.iterdir()) == []

    async def test_waiting_for_standard_input_can_be_cancelled(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        reader, writer = os.pipe()
        try:
            with anyio.move_on_after(0.05) as scope:
                async with staged("-", reader):
                    pass
        finally:
            os.close(reader)
            os.close(writer)
        assert scope.cancelled_caught
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def piped():
    """The reading end of a pipe that holds some bytes."""
    readers = []

    def make(content):
        reader, writer = os.pipe()
        readers.append(reader)
        os.write(writer, content)
        os.close(writer)
        return reader

    yield make
    for reader in readers:
        os.close(reader)


class TestSamples:
    @pytest.mark.parametrize(
        ("name", "jobs", "defaults"),
        [
            ("sample.jsonl", 300, Defaults()),
            ("bodies.jsonl", 10, Defaults()),
            ("prompts.jsonl", 10, Defaults(model="gpt-4o-mini")),
        ],
        ids=["sample", "bodies", "prompts"],
    )
    async def test_every_line_is_a_job(self, name, jobs, defaults):
        found = await survey(JOBS / name, defaults)

        assert (found.jobs, found.lines, found.bad) == (jobs, jobs, {})
        assert found.duplicates == []
        assert found.models == {"gpt-4o-mini": jobs}

    async def test_no_two_jobs_of_the_sample_ask_the_same(self):
        async with Source(JOBS / "sample.jsonl") as source:
            bodies = {job.body async for job in Feed(source)}

        assert len(bodies) == 300
