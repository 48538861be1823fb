"""Prompts are counted as the model counts them, where somebody wants that."""

import subprocess
import sys

import orjson
import pytest

from batchrunner.inputs.defaults import Defaults
from batchrunner.inputs.jsonl import parse
from batchrunner.inputs.tokens import ANSWER, AROUND, counter
from batchrunner.model import CHAT, EMBEDDINGS, RESPONSES

WITHOUT = """
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "bpe_openai":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nowhere())
from batchrunner.errors import ConfigError
from batchrunner.inputs.tokens import counter
try:
    counter()
except ConfigError as error:
    print(error)
"""


def count(*contents, model="gpt-4o-mini", **more):
    messages = [{"role": "user", "content": content, **more} for content in contents]
    return counter()(CHAT, model, orjson.dumps({"messages": messages}))


def respond(given, **more):
    return counter()(RESPONSES, "gpt-4o", orjson.dumps({"input": given, **more}))


def embed(given):
    body = orjson.dumps({"input": given})
    return counter()(EMBEDDINGS, "text-embedding-3-small", body)


def test_a_message_is_its_text_and_what_stands_around_it():
    assert count("Hello, world!") == 4 + AROUND + ANSWER
    assert count("Hello, world!", "Hello, world!") == 2 * (4 + AROUND) + ANSWER
    assert count("") == AROUND + ANSWER
    assert count() == ANSWER


def test_of_several_parts_the_texts_count():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    text = {"type": "text", "text": "Hello, world!"}

    assert count([text]) == count("Hello, world!")
    assert count([text, picture]) == count("Hello, world!")
    assert count([text, text]) == count("Hello, world!\nHello, world!")
    assert count([picture, "what", {"type": "text", "text": 5}]) == count("")


@pytest.mark.parametrize("content", [None, 5, {"text": "Hi"}])
def test_what_is_no_text_counts_nothing(content):
    assert count(content) == count("")


def test_a_message_without_content_counts_nothing():
    body = orjson.dumps({"messages": [{"role": "assistant", "tool_calls": []}]})

    assert counter()(CHAT, "gpt-4o", body) == AROUND + ANSWER


def test_the_input_of_a_response_is_a_message_or_several():
    hello = {"role": "user", "content": [{"type": "input_text", "text": "Hello, world!"}]}

    assert respond("Hello, world!") == count("Hello, world!")
    assert respond([hello, hello]) == count("Hello, world!", "Hello, world!")
    assert respond([hello, {"type": "function_call_output", "output": "x"}, 5]) == (
        4 + 3 * AROUND + ANSWER
    )


def test_instructions_are_one_message_more():
    assert respond("Hello, world!", instructions="Hello, world!") == (
        count("Hello, world!", "Hello, world!")
    )
    assert respond("Hello, world!", instructions=None) == count("Hello, world!")


def test_what_is_embedded_is_nothing_but_its_text_or_its_tokens():
    assert embed("Hello, world!") == 4
    assert embed(["Hello, world!", "Hello, world!"]) == 8
    assert embed([1, 2, 3]) == 3
    assert embed([[1, 2, 3], [4]]) == 4


def test_each_model_counts_in_its_own_way_and_an_unknown_one_as_the_newest():
    text = "Привет, как дела? Сегодня хорошая погода."

    assert count(text, model="gpt-4") > count(text, model="gpt-4o")
    assert count(text, model="my-deployment") == count(text, model="gpt-4o")


def test_a_job_carries_the_count_of_its_prompt_where_somebody_counts():
    line = b'{"prompt":"Hello, world!","model":"gpt-4o","max_tokens":5}'

    assert parse(line, 0, Defaults(), count=counter()).prompt_tokens == 4 + AROUND + ANSWER
    assert parse(line, 0, Defaults()).prompt_tokens is None


@pytest.mark.parametrize(
    "model", ["gpt-4", "gpt-35-turbo", "gpt-3.5-turbo", "gpt-4.1", "gpt-5", "davinci"]
)
def test_no_model_is_too_old_or_too_new_to_be_counted_for(model):
    assert count("Hello, world!", model=model) == 4 + AROUND + ANSWER


def test_text_that_looks_like_a_special_token_is_text():
    assert count("<|endoftext|>") > count("") + 1
    assert count("a<|endoftext|>b<|im_start|>") > count("ab")


@pytest.mark.socket  # a process of its own, which has no such package
def test_without_the_package_it_says_what_to_install():
    ended = subprocess.run(  # noqa: S603 - a program of our own
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=True
    )

    assert ended.stdout.strip() == (
        "--count-tokens needs bpe-openai: pip install 'batchrunner[tokens]'"
    )
