"""Typed configuration that can say where each of its values came from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

from sy_commons._errors import ConfigurationError, ErrorCategory, SymphonyError
from sy_commons._file_errors import PathMissing
from sy_commons._layers import (
    ABSENT,
    FileLayer,
    Layer,
    OverrideLayer,
    VariableLayer,
    find_value,
    merge,
)
from sy_commons._lines import KeyPath
from sy_commons._secret import MASK
from sy_commons._structure import Finding, Structure, is_secret, plan_of
from sy_commons._suggestion import suggestion
from sy_commons._validation import describe

_T = TypeVar("_T")


class ConfigInvalid(SymphonyError):
    """The configuration has problems; the text lists every one of them."""

    code = "commons.config_invalid"
    category = ErrorCategory.CONFIGURATION
    message = "{count} in the configuration:\n{listing}"
    hint = "each line says what was found, and where it was set"
    count: str
    listing: str
    problems: tuple[str, ...]


def load_config(  # noqa: PLR0913 - each is a layer, or chooses one
    cls: type[_T],
    *,
    env: str | None = None,
    dirs: Sequence[str | os.PathLike[str]] = ("config",),
    prefix: str | None = None,
    layers: Sequence[Layer] = (),
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    converter: Any = None,
) -> Config[_T]:
    """Return the configuration *cls*, an attrs class, from all its layers.

    The later wins, key by key: the class's defaults, ``default.toml`` and then ``<env>.toml``
    (*env*: else ``SYMPHONY_ENV``) of each folder of *dirs* that is there, *layers* of yours,
    the variables ``PREFIX__NAME`` and ``PREFIX__TABLE__NAME``, *overrides* (nested, or under
    dotted keys). Variables are text; what is not a text field is read as TOML, ``[1, 2]``.

    Fields are integers, floats, booleans, text, :class:`Path` (relative ones to the file that
    sets them), :class:`Secret`, :data:`Duration` ("30s"), :data:`Size` ("8 GiB"), enums,
    literals, dates, nested classes, lists, sets, tuples and mappings of these, unions, and what
    *converter*, a ``cattrs.Converter``, knows. Validators of attrs run, and the rules of
    ``Annotated[int, in_range(1, 9)]``.

    Raises :class:`ConfigInvalid` with every problem at once: unknown keys and variables too,
    each with its value (secrets masked), what was expected, and the file and line or variable.

    >>> @attrs.frozen
    ... class App:
    ...     workers: int = 4
    >>> config = load_config(App, dirs=[], prefix="ACME", environ={"ACME__WORKERS": "8"})
    >>> print(config.value.workers, "|", config.explain("workers"))
    8 | 8  from ACME__WORKERS
    """
    if not _is_record(cls):
        raise TypeError(f"{cls!r} is no attrs class")
    environ = os.environ if environ is None else environ
    env = env if env is not None else environ.get("SYMPHONY_ENV") or None
    found = [*_files(env, [Path(folder) for folder in dirs]), *layers]
    variables = VariableLayer(prefix, environ) if prefix else None
    if variables is not None and (variables.values or variables.contradictions):
        found.append(variables)
    if overrides:
        found.append(OverrideLayer(overrides))
    return _build(cls, tuple(found), variables, converter)


class Config(Generic[_T]):
    """A configuration, and where each of its values came from. Immutable.

    >>> @attrs.frozen
    ... class App:
    ...     workers: int = 4
    >>> load_config(App, dirs=[])
    <Config App from its defaults>
    """

    __slots__ = ("_cls", "_layers", "value")

    def __init__(self, cls: type[_T], value: _T, layers: tuple[Layer, ...]) -> None:
        self._cls = cls
        self._layers = layers
        self.value = value

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the layers, the later winning."""
        return tuple(layer.name for layer in self._layers)

    def explain(self, key: str = "") -> str:
        """Return the value of *key* ("db.port"), where it was set, and what it shadows.

        Without a key, every value, a line each. Secrets are masked. Raises
        :class:`ConfigurationError` for a key that there is not.
        """
        if key:
            path = self._path(key)
            return self._explain(path)
        keys = [".".join(map(str, path)) for path in self._leaves(self.value, ())]
        return "\n".join(f"{key} = {self._explain(self._path(key))}" for key in keys)

    def _explain(self, path: KeyPath) -> str:
        kinds = list(_kinds(self._cls, path))
        secret = is_secret(path, kinds[-1] if kinds else Any)
        told = [
            (MASK if secret else describe(_bare(value)), layer.locate(path))
            for layer in reversed(self._layers)
            if (value := find_value(layer.values, path)) is not ABSENT
        ]
        now = MASK if secret else _shown(_follow(self.value, path))
        if not told:
            return f"{now}  the default"
        shadowed = [f"{shown} {where}" for shown, where in reversed(told[1:])]
        rest = f"; shadows {', '.join(shadowed)}" if shadowed else ""
        return f"{now}  {told[0][1]}{rest}"

    def _path(self, key: str) -> KeyPath:
        path: KeyPath = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
        value: Any = self.value
        for depth, step in enumerate(path):
            names = _names(value)
            if step not in names and str(step) not in names:
                close = suggestion(str(step), [str(name) for name in names])
                raise ConfigurationError(
                    f"there is no {'.'.join(map(str, path[: depth + 1]))}{close}",
                    hint="explain() without a key lists all of them",
                )
            path = (*path[:depth], step if step in names else str(step), *path[depth + 1 :])
            value = _follow(value, (path[depth],))
        return path

    def _leaves(self, value: Any, path: KeyPath) -> Iterator[KeyPath]:
        for name in _names(value):
            item = _follow(value, (name,))
            if attrs.has(type(item)) or (isinstance(item, dict) and item):
                yield from self._leaves(item, (*path, name))
            else:
                yield (*path, name)

    def __repr__(self) -> str:
        return f"<Config {self._cls.__name__} from {', '.join(self.sources) or 'its defaults'}>"


def _files(env: str | None, dirs: list[Path]) -> list[Layer]:
    names = ["default"] + ([env] if env and env != "default" else [])
    layers: list[Layer] = []
    problems: list[str] = []
    for name in names:
        if not name.replace("-", "_").isidentifier():
            raise ConfigurationError(f"no environment is called {name!r}", hint="e.g. production")
        found = 0
        for folder in dirs:
            try:
                layers.append(FileLayer(folder / f"{name}.toml"))
            except PathMissing:
                continue
            except SymphonyError as error:
                problems.append(str(error))
            found += 1
        if name != "default" and dirs and not found:
            problems.append(_missing(name, dirs))
    if problems:
        raise _invalid(problems)
    return layers


def _missing(name: str, dirs: list[Path]) -> str:
    there = sorted({path.stem for folder in dirs for path in folder.glob("*.toml")})
    close = suggestion(name, there)
    return f"there is no {name}.toml in {', '.join(map(str, dirs))}{close}"


def _build(
    cls: type[_T], layers: tuple[Layer, ...], variables: VariableLayer | None, converter: Any
) -> Config[_T]:
    try:
        merged = merge(list(layers))
    except RecursionError as error:
        raise _invalid(["it is nested too deeply"]) from error

    def convert(value: Any, kind: Any) -> Any:
        return (converter or _converter()).structure(value, kind)

    structure = Structure(lambda path: _folder_of(layers, path), convert)
    value = structure.build(cls, merged, ())
    problems = [_told(layers, finding) for finding in structure.findings]
    for name, other in variables.contradictions if variables else ():
        problems.append(f"{name} contradicts {other}: one sets a value, the other a part of it")
    if problems:
        raise _invalid(problems)
    return Config(cls, value, layers)


def _folder_of(layers: tuple[Layer, ...], path: KeyPath) -> Path | None:
    layer = _setter(layers, path)
    return layer.folder if layer is not None else None


def _setter(layers: tuple[Layer, ...], path: KeyPath) -> Layer | None:
    """Return the layer whose value at *path*, or at what it lies in, is the one that counts."""
    for length in range(len(path), 0, -1):
        for layer in reversed(layers):
            if find_value(layer.values, path[:length]) is not ABSENT:
                return layer
    return None


def _told(layers: tuple[Layer, ...], finding: Finding) -> str:
    layer = _setter(layers, finding.path)
    key = ".".join(map(str, finding.path)) or "the configuration"
    where = f" ({layer.locate(finding.path)})" if layer is not None else ""
    return f"{key}: {finding.text}{where}"


def _invalid(problems: list[str]) -> ConfigInvalid:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    listing = "\n".join(f"  {problem}" for problem in problems)
    return ConfigInvalid(count=count, listing=listing, problems=tuple(problems))


def _names(value: Any) -> list[Any]:
    if _is_record(type(value)):
        return list(plan_of(_class_of(value)))
    if isinstance(value, Mapping):
        return list(value)
    return list(range(len(value))) if isinstance(value, list | tuple) else []


def _follow(value: Any, path: KeyPath) -> Any:
    for step in path:
        named = attrs.has(type(value))
        value = getattr(value, str(step), ABSENT) if named else value[step]
    return value


def _kinds(cls: Any, path: KeyPath) -> Iterator[Any]:
    """Yield the declared types along *path*, as far as they are classes of fields."""
    for step in path:
        if not attrs.has(cls) or step not in plan_of(cls):
            return
        cls = plan_of(cls)[str(step)].kind
        yield cls


def _class_of(value: Any) -> Any:
    return type(value)


def _is_record(cls: Any) -> bool:
    return attrs.has(cls)


def _bare(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _shown(value: Any) -> str:
    return describe(str(value) if isinstance(value, Path) else value)


@lru_cache(maxsize=1)
def _converter() -> Any:
    import cattrs  # noqa: PLC0415 - heavy, and only asked about types that are not known here

    return cattrs.Converter(forbid_extra_keys=True)
