import copy
import json
import pickle

import attrs
import pytest

from sy_commons import Secret

CANARY = "canary-7f3a9"


@attrs.frozen
class Config:
    key: Secret


def test_it_shows_itself_only_through_reveal() -> None:
    secret = Secret(CANARY)
    texts = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", f"{secret!r:>20}"]
    texts += [f"{[secret]} { ({'a': secret}) }", repr(Config(secret)), "%s" % secret]  # noqa: UP031 - the old way is a way out too

    assert CANARY not in "".join(texts)
    assert secret.reveal() == CANARY


def test_it_does_not_travel() -> None:
    for dump in (pickle.dumps, json.dumps, lambda secret: json.dumps(vars(secret))):
        with pytest.raises(TypeError):
            dump(Secret(CANARY))


def test_a_copied_configuration_keeps_it() -> None:
    config = copy.deepcopy(Config(Secret(CANARY)))

    assert config.key.reveal() == CANARY
    assert copy.copy(config.key) is config.key


def test_it_compares_and_hashes_by_what_it_holds() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


def test_it_holds_text_alone() -> None:
    with pytest.raises(TypeError, match="int"):
        Secret(5)  # type: ignore[arg-type]  # wrong on purpose
