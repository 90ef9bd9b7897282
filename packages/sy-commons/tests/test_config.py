import enum
import pickle
import time
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import cattrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sy_commons
from sy_commons import (
    Config,
    ConfigFileInvalid,
    ConfigInvalid,
    ConfigurationError,
    Duration,
    FileTooLarge,
    Secret,
    Size,
    SymphonyError,
    in_range,
    load_config,
    not_empty,
)

CANARY = "canary-7f3a9"


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


@attrs.frozen
class Db:
    host: str = "localhost"
    port: Annotated[int, in_range(1, 65535)] = 5432
    password: str = ""


@attrs.frozen
class Tcp:
    kind: Literal["tcp"]
    port: int


@attrs.frozen
class Unix:
    kind: Literal["unix"]
    path: Path


@attrs.frozen
class App:
    workers: int = attrs.field(default=4, validator=attrs.validators.ge(1))
    cache_dir: Path = Path("cache")
    api_key: Secret = Secret("")  # noqa: RUF009 - immutable
    db: Db = attrs.Factory(Db)
    timeout: Duration = 30.0
    memory: Size = 1 << 30
    colour: Colour = Colour.RED
    mode: Literal["fast", "safe"] = "safe"
    tags: list[str] = attrs.Factory(list)
    ports: tuple[int, ...] = ()
    limits: dict[str, Size] = attrs.Factory(dict)
    listen: Tcp | Unix | None = None
    replicas: list[Db] = attrs.Factory(list)
    debug: bool = False
    ratio: float = 0.5
    since: date | None = None
    either: int | str = 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


def load(folder: Path, text: str = "", **options: Any) -> Config[App]:
    (folder / "default.toml").write_text(text)
    return load_config(App, dirs=[folder], **{"environ": {}, **options})


def problems(folder: Path, text: str = "", **options: Any) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        load(folder, text, **options)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_the_later_layer_wins_key_by_key(folder: Path) -> None:
    (folder / "production.toml").write_text("\nworkers = 6\n[db]\nport = 2\n")
    environ = {"ACME__DB__HOST": "env", "ACME__WORKERS": "8", "OTHER__X": "1", "ACME_X": "1"}

    config = load(
        folder,
        "debug = true\nratio = 1\nworkers = 4\n[db]\nport = 1\nhost = 'file'\n",
        env="production", prefix="ACME", environ=environ, overrides={"db.password": "x"},
    )  # fmt: skip

    assert config.value == App(workers=8, debug=True, ratio=1.0, db=Db("env", 2, "x"))
    assert isinstance(config.value.ratio, float)
    assert config.explain("workers").replace(f"{folder}", "config") == (
        "8  from ACME__WORKERS; shadows 4 at config/default.toml:3, 6 at config/production.toml:2"
    )
    assert config.explain("db.port").endswith("production.toml:4; shadows 1 at "
                                              f"{folder}/default.toml:5")  # fmt: skip
    assert config.explain("timeout") == "30.0  the default"
    assert config.explain("db.password") == "***  from overrides"
    assert "debug = True  at" in config.explain()
    assert f"db.host = 'env'  from ACME__DB__HOST; shadows 'file' at {folder}" in config.explain()
    assert len(config.sources) == 4


def test_every_kind_of_field_is_read_from_a_file(folder: Path) -> None:
    config = load(folder, """
        cache_dir = "sub/cache"
        api_key = "k"
        timeout = "1m 30s"
        memory = "8 GiB"
        colour = 2
        mode = "fast"
        tags = ["a", "b"]
        ports = [1, 2]
        limits = { a = "1 kB", b = 2 }
        listen = { kind = "unix", path = "run.sock" }
        replicas = [{ host = "one" }, { port = 7 }]
        since = 2026-01-02
        either = "text"
    """)  # fmt: skip

    assert config.value == App(
        cache_dir=folder / "sub" / "cache", api_key=Secret("k"), timeout=90.0, memory=8 << 30,
        colour=Colour.BLUE, mode="fast", tags=["a", "b"], ports=(1, 2),
        limits={"a": 1000, "b": 2}, listen=Unix("unix", folder / "run.sock"),
        replicas=[Db("one"), Db(port=7)], since=date(2026, 1, 2), either="text",
    )  # fmt: skip
    assert config.explain("replicas.1.port").endswith("default.toml:12")
    assert config.explain("limits.a").startswith("1000  at ")


def test_every_kind_of_field_is_read_from_a_variable(folder: Path) -> None:
    variables = {
        "CACHE_DIR": "here/cache", "API_KEY": "5", "TIMEOUT": "250ms", "MEMORY": "1 MB",
        "COLOUR": "blue", "MODE": "fast", "TAGS": '["a"]', "PORTS": "[1]", "DB__HOST": "5",
        "LIMITS__A": "2 kB", "LISTEN": '{kind="tcp", port=1}', "DEBUG": "on", "RATIO": "2",
        "SINCE": "2026-01-02", "EITHER": "7", "REPLICAS": "[{port=3}]",
    }  # fmt: skip

    config = load(
        folder, prefix="ACME", environ={f"ACME__{name}": text for name, text in variables.items()}
    )

    assert config.value == App(
        cache_dir=Path("here/cache"), api_key=Secret("5"), timeout=0.25, memory=10**6,
        colour=Colour.BLUE, mode="fast", tags=["a"], ports=(1,), db=Db(host="5"),
        limits={"a": 2000}, listen=Tcp("tcp", 1), debug=True, ratio=2.0, since=date(2026, 1, 2),
        either=7, replicas=[Db(port=3)],
    )  # fmt: skip


def test_all_problems_are_told_at_once_each_with_its_place(folder: Path) -> None:
    text = """\
workers = 0
wrokers = 1
timeout = "soon"
memory = "8G"
mode = "fsat"
colour = "green"
tags = "a"
listen = { kind = "unix", port = 1 }
debug = 1
cache_dir = 5
[db]
port = 70000
hots = "x"
[[replicas]]
port = "x"
[limits]
a = true
"""
    told = problems(
        folder, text, prefix="ACME", environ={"ACME__WORKRES": "1", "ACME__RATIO": "half"}
    )

    assert sorted(told) == sorted([
        "workers: 'workers' must be >= 1: 0 (at default.toml:1)",
        "wrokers: there is no such key; did you mean 'workers'? (at default.toml:2)",
        ('timeout: expected a duration, write it like "30s", "1h 30m" or "250ms", '
        "found 'soon' (numbers and units are wanted) (at default.toml:3)"),
        ("memory: expected a size, write it like \"8 GiB\", \"500 MB\" or 4096, found '8G' "
        "(G alone could be GB or GiB) (at default.toml:4)"),
        ("mode: expected one of 'fast', 'safe', found 'fsat' (did you mean 'fast'?) "
        "(at default.toml:5)"),
        "colour: expected one of 'red', 2, found 'green' (at default.toml:6)",
        "tags: expected a list, found 'a' (at default.toml:7)",
        ("listen: expected Tcp or Unix or nothing, found {'kind': 'unix', 'port': 1} "
        "(at default.toml:8)"),
        "debug: expected true or false, found 1 (at default.toml:9)",
        "cache_dir: expected a path, found 5 (at default.toml:10)",
        "db.port: expected a number from 1 to 65535, found 70000 (at default.toml:12)",
        "db.hots: there is no such key; did you mean 'host'? (at default.toml:13)",
        "replicas.0.port: expected an integer, found 'x' (at default.toml:15)",
        ('limits.a: expected a size, write it like "8 GiB", "500 MB" or 4096, found True '
        "(it is bool, and a text is wanted) (at default.toml:17)"),
        "workres: there is no such key; did you mean 'workers'? (from ACME__WORKRES)",
        "ratio: expected a number, found 'half' (from ACME__RATIO)",
    ])  # fmt: skip


def test_what_has_no_default_has_to_be_set(folder: Path) -> None:
    @attrs.frozen
    class Needs:
        name: str
        db: Db
        key: Secret

    with pytest.raises(ConfigInvalid) as caught:
        load_config(Needs, dirs=[folder], environ={})
    assert caught.value.problems == (
        "name: expected text, and nothing sets it",
        "db: expected Db, and nothing sets it",
        "key: expected a secret, and nothing sets it",
    )


def test_each_validator_is_told_and_converters_run(folder: Path) -> None:
    @attrs.frozen
    class Strict:
        low: int = attrs.field(default=1, validator=attrs.validators.ge(1))
        high: int = attrs.field(default=2, validator=attrs.validators.le(9))
        name: str = attrs.field(default="", converter=str.upper)
        word: Annotated[str, not_empty] = "x"
        password: str = attrs.field(default="", validator=attrs.validators.max_len(2))

        def __attrs_post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is above high")

    def load_it(**values: Any) -> Any:
        return load_config(Strict, dirs=[], environ={}, overrides=values).value

    assert load_it(name="ann").name == "ANN"
    with pytest.raises(ConfigInvalid) as caught:
        load_it(low=0, high=10, word=" ", password=CANARY)
    assert len(caught.value.problems) == 4
    assert CANARY not in str(caught.value)
    with pytest.raises(ConfigInvalid, match="Strict refuses it: low is above high"):
        load_it(low=5, high=3)


def test_a_missing_environment_is_an_error_with_a_suggestion(folder: Path) -> None:
    (folder / "production.toml").touch()

    assert problems(folder, env="prodution") == [
        f"there is no prodution.toml in {folder}; did you mean 'production'?"
    ]
    with pytest.raises(ConfigurationError, match=r"no environment is called '\.\./x'"):
        load(folder, env="../x")


def test_the_environment_comes_from_the_variable(folder: Path) -> None:
    (folder / "test.toml").write_text("workers = 2")

    assert load(folder, environ={"SYMPHONY_ENV": "test"}).value.workers == 2
    assert load(folder, env="default", environ={"SYMPHONY_ENV": "test"}).value.workers == 4


def test_folders_that_are_not_there_are_skipped_and_later_ones_win(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "default.toml").write_text("workers = 9")
    (folder / "default.toml").write_text("workers = 3\ndebug = true")

    value = load_config(App, dirs=[folder, tmp_path / "no", tmp_path / "mine"], environ={}).value

    assert (value.workers, value.debug) == (9, True)


def test_a_syntax_error_names_file_and_line_and_other_files_too(folder: Path) -> None:
    (folder / "test.toml").write_text('x = "open')

    told = problems(folder, "a = 1\nb = = 2\n", env="test")

    assert told[0].startswith("default.toml:2: ")
    assert told[1].startswith("test.toml:1: ")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"a = 1\na = 2\n", "Cannot overwrite a value"),
        (b"x = '\xff'", "is not utf-8"),
        (b"x = 1\0", "binary"),
        (b"x = 1\n" * 2_000_000, "too large"),
        (b"tags = " + b"[" * 1000 + b"]" * 1000, "nested too deeply"),
        (b"tags = " + b"[" * 100_000, "nested too deeply"),
        (b".".join([b"a"] * 1000) + b" = 1", "nested too deeply"),
        (b"a={" * 5000, "nested too deeply"),
        (b"".join(b"k%d = 1\n" % n for n in range(22_000)), "21950 more keys that are unknown"),
    ],
    ids=["twice", "latin", "nul", "10MB", "deep", "deeper", "dotted", "tables", "many"],
)
def test_a_hostile_file_is_a_clear_error_in_less_than_a_second(
    folder: Path, data: bytes, says: str
) -> None:
    (folder / "default.toml").write_bytes(data)
    started = time.process_time()

    with pytest.raises(ConfigInvalid, match=says):
        load_config(App, dirs=[folder], environ={})
    assert time.process_time() - started < 1


def test_contradicting_variables_are_told(folder: Path) -> None:
    told = problems(folder, prefix="ACME", environ={"ACME__DB": "{port=1}", "ACME__DB__PORT": "2"})

    assert told == ["ACME__DB__PORT contradicts ACME__DB: one sets a value, the other a part of it"]


def test_a_planted_secret_shows_nowhere(folder: Path) -> None:
    (folder / "test.toml").write_text(f'api_key = "{CANARY}"\n[db]\npassword = "{CANARY}"\n')
    config = load(
        folder, f'api_key = "x{CANARY}"\n', env="test", prefix="ACME",
        environ={"ACME__DB__PASSWORD": f"y{CANARY}"},
    )  # fmt: skip

    assert config.value.api_key.reveal() == CANARY
    assert CANARY not in f"{config!r} {config.explain()} {config.value.api_key}"
    assert config.explain("api_key").startswith("***  at ")
    for overrides in (
        {"api_key": [CANARY]}, {"db": {"password": [CANARY]}}, {"db": {"port": 5, "tokn": CANARY}},
        {"db": f"password={CANARY}"}, {"secret": CANARY},
    ):  # fmt: skip
        with pytest.raises(ConfigInvalid) as caught:
            load(folder, overrides=overrides)
        error = caught.value
        assert CANARY not in f"{error} {error!r} {error.context} {error.to_wire()}"
        assert CANARY.encode() not in pickle.dumps(error)


def test_explain_of_a_key_that_there_is_not_suggests_one(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no db\.prot; did you mean 'port'"):
        load(folder).explain("db.prot")


def test_programs_share_an_environment_by_their_prefixes(folder: Path) -> None:
    environ = {"OTHER__NONSENSE": "1", "SYMPHONY_HOME": "x", "SYMPHONY_TEST_MODE": "y"}

    assert load(folder, prefix="SYMPHONY", environ=environ).value == App()


def test_a_layer_and_a_type_can_be_added_from_outside(folder: Path) -> None:
    class Vault:
        name = "vault"
        folder = None

        def __init__(self, values: dict[str, Any]) -> None:
            self.values = values

        def locate(self, path: tuple[str | int, ...]) -> str:
            return f"from vault:{'/'.join(map(str, path))}"

    @attrs.frozen
    class Shares:
        share: Fraction = Fraction(1)
        key: Secret = Secret("")  # noqa: RUF009 - immutable

    converter = cattrs.Converter()
    converter.register_structure_hook(Fraction, lambda value, kind: Fraction(value))

    config = load_config(
        Shares, dirs=[], environ={}, layers=[Vault({"share": "1/3", "key": "k"})],
        converter=converter,
    )  # fmt: skip

    assert config.value == Shares(Fraction(1, 3), Secret("k"))
    assert config.explain("share") == "Fraction(1, 3)  from vault:share"
    with pytest.raises(ConfigInvalid, match=r"share: expected Fraction, found 'x' .*vault:share"):
        load_config(
            Shares, dirs=[], environ={}, layers=[Vault({"share": "x"})], converter=converter
        )


EXAMPLES = Path(sy_commons.__file__).parent / "examples"


@pytest.mark.parametrize(("env", "workers"), [("default", 4), ("test", 1), ("production", 16)])
def test_the_examples_that_ship_load(env: str, workers: int) -> None:
    @attrs.frozen
    class Limits:
        max_upload: Size
        timeout: Duration

    @attrs.frozen
    class Example:
        workers: int
        cache_dir: Path
        limits: Limits
        logging: dict[str, Any]

    value = load_config(Example, env=env, dirs=[EXAMPLES], environ={}).value

    assert value.workers == workers
    assert value.cache_dir.is_absolute()
    assert value.limits.max_upload == 16 << 20


TOML = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=8) | st.floats() | st.dates(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["port", "host", "kind", "path", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
KEYS = st.sampled_from([field.name for field in attrs.fields(App)])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(KEYS | st.text(max_size=5).filter(lambda key: key), TOML, max_size=4),
    st.dictionaries(
        st.builds(
            lambda a, b: f"ACME__{a}{b}".upper(), KEYS, st.sampled_from(["", "__X", "__PORT"])
        ),
        st.text(st.characters(exclude_characters="\0"), max_size=12)
        | st.sampled_from(["{", "[1", "{port=1}", "[[", "1e999", '"""', "a = 1"]),
        max_size=3,
    ),
)
def test_any_values_give_a_configuration_or_problems(
    overrides: dict[str, Any], environ: dict[str, str]
) -> None:
    try:
        config = load_config(App, dirs=[], prefix="ACME", environ=environ, overrides=overrides)
    except SymphonyError as error:
        assert isinstance(error, ConfigInvalid) and error.problems  # noqa: PT017, PT018 - both ends are fine
    else:
        assert config.explain()


def test_what_is_no_class_of_fields_is_refused() -> None:
    with pytest.raises(TypeError, match="no attrs class"):
        load_config(dict, dirs=[])
    assert issubclass(ConfigFileInvalid, SymphonyError)
    assert issubclass(FileTooLarge, SymphonyError)
