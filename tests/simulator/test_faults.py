"""What goes wrong goes wrong when the scenario says so, and as it does in the field."""

import asyncio

import pytest

from tests.simulator.talk import Sent, azure, chat, quick, simulator


def sick(kind, **fault):
    """A region with one fault."""
    return simulator(quick(faults=[{"kind": kind, **fault}]))


async def test_a_fault_lasts_from_one_moment_to_another():
    app, statuses = sick("outage", **{"from": 10, "until": 20}), []
    for moment in (0, 9.9, 10, 19.9, 20):
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0, moment - now))
        statuses.append((await azure(app)).status)

    assert statuses == [200, 200, 503, 503, 200]


async def test_moments_count_from_the_first_call():
    await asyncio.sleep(1000)
    app = sick("outage", until=5)

    assert (await azure(app)).status == 503
    await asyncio.sleep(5)
    assert (await azure(app)).status == 200


async def test_a_rate_is_the_share_of_calls():
    app = sick("error", rate=0.25)
    statuses = [(await azure(app, chat(f"{number}"))).status for number in range(1000)]

    assert 200 < statuses.count(500) < 300


async def test_a_fault_does_not_change_what_other_calls_hear():
    plain, wild = simulator({}), simulator({"faults": [{"kind": "outage", "until": 1e-6}]})
    assert (await azure(wild, chat("first"))).status == 503
    await asyncio.sleep(1)

    assert (await azure(plain)).body.split(b"created")[0] == (await azure(wild)).body.split(
        b"created"
    )[0]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("capacity", 429, "429"),
        ("key", 401, "401"),
        ("forbidden", 403, "403"),
        ("missing", 404, "DeploymentNotFound"),
        ("context", 400, "context_length_exceeded"),
        ("filter", 400, "content_filter"),
        ("outage", 503, "InternalServerError"),
        ("error", 500, None),
        ("billing", 403, "403"),
    ],
)
async def test_refusals(kind, status, code):
    heard = await azure(sick(kind))

    assert (heard.status, heard.code) == (status, code)


async def test_an_outage_answers_before_anything_is_looked_at():
    heard = await azure(sick("outage", status=502), key="wrong")

    assert heard.status == 502
    assert "apim-request-id" in heard.headers
    assert "x-request-id" not in heard.headers


async def test_an_error_takes_time_and_is_charged():
    loop = asyncio.get_running_loop()
    app = simulator({"rpm": 5, "faults": [{"kind": "error", "status": 408}]})
    begun = loop.time()
    heard = await azure(app)

    assert (heard.status, heard.code) == (408, "Timeout")
    assert heard.headers["x-ratelimit-remaining-requests"] == "4"
    assert loop.time() - begun > 0.5


async def test_a_marker_makes_the_filter_refuse_some_prompts_only():
    app = sick("filter", marker="blood")

    assert (await azure(app, chat("blood and gore"))).status == 400
    assert (await azure(app, chat("flowers"))).status == 200


@pytest.mark.parametrize(
    ("shape", "kind", "body"),
    [
        ("html", "text/html", b"<html>"),
        ("empty", "application/json", b""),
        ("broken", "application/json", b'{"id"'),
        ("object", "application/json", b"{}"),
        ("null", "application/json", b"null"),
    ],
)
async def test_garbage_comes_with_status_200(shape, kind, body):
    heard = await azure(sick("garbage", shape=shape))

    assert heard.status == 200
    assert heard.headers["content-type"] == kind
    assert heard.body.startswith(body)
    assert heard.headers["content-length"] == str(len(heard.body))


async def test_a_reset_at_the_start_raises_before_anything_is_sent():
    sent = Sent()
    with pytest.raises(ConnectionResetError):
        await azure(sick("reset"), sent=sent)

    assert sent.start is None


async def test_a_reset_in_the_body_raises_after_half_of_it():
    sent = Sent()
    with pytest.raises(ConnectionResetError):
        await azure(sick("reset", where="body"), sent=sent)

    heard = sent.heard()
    assert 0 < len(heard.body) < int(heard.headers["content-length"])


async def test_a_call_that_hangs_is_never_answered():
    app = sick("hang")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3000):
            await azure(app)

    assert app.statistics()["eastus"]["in_flight"] == 0
    assert app.statistics()["eastus"]["abandoned"] == 1


async def test_a_call_that_hangs_is_reset_in_the_end():
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(ConnectionResetError):
        await azure(sick("hang", seconds=120))

    assert loop.time() - begun == 120


async def test_slow_answers_take_longer():
    loop, seconds = asyncio.get_running_loop(), []
    for faults in ([], [{"kind": "slow", "factor": 7}]):
        begun = loop.time()
        await azure(simulator({"faults": faults}))
        seconds.append(loop.time() - begun)

    assert seconds[1] == pytest.approx(seconds[0] * 7)


async def test_an_answer_can_trickle():
    loop = asyncio.get_running_loop()
    begun = loop.time()
    heard = await azure(sick("trickle", seconds=8))

    assert heard.json["object"] == "chat.completion"
    assert heard.pieces > 5
    assert loop.time() - begun == pytest.approx(8, rel=0.01)


async def test_limits_can_be_halved_for_a_while():
    fault = {"kind": "limits", "factor": 0.5, "from": 60, "until": 120}
    app, passed = simulator(quick(rpm=10, faults=[fault])), []
    for _ in range(3):
        heard = [await azure(app) for _ in range(12)]
        limit = heard[0].headers["x-ratelimit-limit-requests"]
        passed.append((limit, [one.status for one in heard].count(200)))
        await asyncio.sleep(60)

    assert passed == [("10", 10), ("5", 5), ("10", 10)]


async def test_a_lowered_limit_holds_for_the_whole_group():
    fault = {"kind": "limits", "factor": 0.5}
    one = {"key": "k1", "rpm": 4, "quota_group": "pool", **quick()}
    app = simulator(
        regions=[{"name": "eastus", "faults": [fault], **one}, {"name": "westus", **one}]
    )
    heard = [(await azure(app, region="westus")).status for _ in range(3)]

    assert heard == [200, 200, 429]


async def test_retry_after_can_be_a_day_for_a_while():
    fault = {"kind": "retry-after", "seconds": 86400, "until": 10}
    app = simulator(quick(rpm=1, faults=[fault]))
    await azure(app)
    told = (await azure(app)).headers["retry-after"]
    await asyncio.sleep(20)

    assert (told, (await azure(app)).headers["retry-after"]) == ("86400", "40")


# Statistics


async def test_statistics_count_what_happened():
    app = simulator(
        quick(
            rpm=4,
            faults=[{"kind": "error", "from": 60, "until": 120}, {"kind": "missing", "from": 200}],
        )
    )
    for _ in range(6):
        await azure(app, chat(max_tokens=10))
    await azure(app, key="wrong")
    await azure(app, headers={"x-stainless-retry-count": "1"}, key="wrong")
    await azure(app, headers={"x-stainless-retry-count": "0"}, key="wrong")
    await asyncio.sleep(60)
    await azure(app)
    await asyncio.sleep(200)
    await azure(app)

    counts = app.statistics()["eastus"]
    assert counts["calls"] == 11
    assert counts["ok"] == 4
    assert counts["throttled"] == {"requests": 2, "tokens": 0, "capacity": 0, "other": 0}
    assert counts["errors"] == {"401": 3, "500": 1, "404": 1}
    assert counts["refused_keys"] == 3
    assert counts["sdk_retries"] == 1
    assert counts["completion_tokens"] == 40
    assert counts["charged_tokens"] == 4 * 13 + 123


async def test_statistics_know_the_peak():
    app = simulator({})
    await asyncio.gather(*(azure(app, chat(str(n))) for n in range(30)))
    counts = app.statistics()["eastus"]

    assert (counts["peak_in_flight"], counts["in_flight"]) == (30, 0)


async def test_a_cancelled_call_leaves_nothing_behind():
    app = simulator({})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await azure(app)
    counts = app.statistics()["eastus"]

    assert (counts["in_flight"], counts["abandoned"], counts["ok"]) == (0, 1, 0)
