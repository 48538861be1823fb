"""Answers that prove which prompt they answer."""

import hashlib

#: How many characters the service takes for a token when it admits a call.
CHARACTERS = 4

_WORDS = (
    "the region answers every prompt it admits and throttles the rest so that a patient client "
    "loses nothing while a hasty one pays for each call that it sends too early and must repeat "
)
_FILLER = (_WORDS * 64).encode("ascii").decode()


def prompt_digest(text: str) -> str:
    """Eight hex digits that stand for a prompt; every answer to it begins with them."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def answer(prompt: str, tokens: int, variant: int = 0) -> str:
    """A text of about so many tokens that begins with the prompt's digest and first words.

    The digest is there however few tokens there are. Variants differ in what follows the echo.
    """
    length = tokens * CHARACTERS
    words = " ".join(prompt[:64].split()[:6])
    head = f'{prompt_digest(prompt)} You asked: "{words}". '
    if len(head) >= length:
        return head[: max(8, length)].rstrip()
    shift = variant * 7 % len(_WORDS)
    missing = length - len(head)
    filler = _FILLER * (1 + (missing + shift) // len(_FILLER))
    return (head + filler[shift : shift + missing]).rstrip()
