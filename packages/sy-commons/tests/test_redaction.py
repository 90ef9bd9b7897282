import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sy_commons._redaction import MASK, MAX_TEXT, is_secret_name, json_safe, redact_text, shown

SECRET = "c4naryc4naryc4nary99"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db.password",
        "dbPassword",
        "userpasswd",
        "PASSPHRASE",
        "secret",
        "client_secret",
        "api_key",
        "apiKey",
        "X-API-Key",
        "access-key",
        "private.key",
        "token",
        "hf_token",
        "accessToken",
        "auth_tokens",
        "Authorization",
        "Cookie",
        "set-cookie",
        "credentials",
        "pwd",
        "db_pwd",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "tokens",
        "max_tokens",
        "input_tokens",
        "token_count",
        "tokenizer",
        "tokenize",
        "eos_token",
        "key",
        "keyboard",
        "path",
        "secretary",
        "author",
        "monkey_key",
        "primary_key",
        "bypass",
        "pass",
    ],
)
def test_names_of_what_is_no_secret(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: basic {SECRET}=",
        f"authorization={SECRET}",
        f"https://ann:{SECRET}@host/x",
        f"postgres://:{SECRET}@host/x",
        f"sk-{SECRET}",
        f"ghp_{SECRET}",
        f"hf_{SECRET}",
        f"AKIA{SECRET[:16].upper()}",
        f"eyJ{SECRET}.{SECRET}.{SECRET}",
        f"xoxb-{SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
        f"password={SECRET}",
        f"password = '{SECRET} {SECRET}'",
        f'{{"password": "{SECRET} with \\" a quote {SECRET}"}}',
        f'password="cut off {SECRET}',
        f"{{'token': '{SECRET}'}}",
        f"MY_TOKEN={SECRET}",
        f"access_token: {SECRET}",
        f"Cookie: {SECRET}",
        f"DB_PASSWORD={SECRET}&x=1",
    ],
)
def test_tokens_in_text_are_masked(text: str) -> None:
    masked = redact_text(f"before {text} after")

    assert SECRET not in masked
    assert SECRET.upper()[:16] not in masked
    assert masked.startswith("before ")
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "unexpected token: }",
        "max_tokens=5, tokens: 7",
        "the key = value pairs",
        "https://host/a:b",
        "password: ",
        "task-oriented sk-ip",
        "Bearer of news",
    ],
)
def test_clean_text_stays(text: str) -> None:
    assert redact_text(text) == text


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    once = redact_text(text)

    assert redact_text(once) == once


@pytest.mark.parametrize(
    "part",
    ["-eyJ", "eyJa.", "password", 'password="', "password = ", "://a:b", "token ", "sk-a ",
     "-----BEGIN ", "secret=\\", "bearer ", '"\\', "token='\\"],
)  # fmt: skip
def test_no_pattern_is_slow_on_hostile_text(part: str) -> None:
    """Linear: 200,000 characters in well under a second, where a quadratic one takes minutes."""
    started = time.process_time()

    redact_text(part * (200_000 // len(part)))

    assert time.process_time() - started < 2


def test_a_token_across_the_cut_does_not_show() -> None:
    text = "x" * (MAX_TEXT - 11) + f" sk-{SECRET}"

    assert SECRET[:3] not in shown(text)


THINGS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.sets(st.text())
    ),
    max_leaves=20,
)


@settings(max_examples=50)
@given(THINGS)
def test_anything_becomes_json_that_any_encoder_takes(thing: object) -> None:
    safe = json_safe(thing)

    assert json.loads(json.dumps(safe, allow_nan=False)) == safe
    json.dumps(safe, ensure_ascii=False).encode()
    assert json_safe(safe) == safe


def test_big_things_are_cut() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]

    assert len(json.dumps(json_safe(deep))) < 1000
    assert json_safe(list(range(500)))[-1] == "… 500 in all"
    assert len(json_safe({str(n): n for n in range(500)})) == 101
    assert len(json_safe("a" * 10**6)) < 17_000
    assert len(json_safe(10**6000)) < 100
