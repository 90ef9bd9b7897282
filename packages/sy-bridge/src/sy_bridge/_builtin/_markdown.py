"""Lay a brief out as Markdown: what the tree is for, then what each of its modules is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import quote

from sy_bridge._builtin._modules import Module, is_test, name_modules
from sy_bridge._builtin._summarizer import Sentence, Summary
from sy_extensions import Operator

MAX_NAMES = 6
# Of a larger package the private modules are only named, and so is what comes after so many.
MAX_LINES = 60


class RenderMarkdown(Operator):
    """Lays summaries out as a brief in Markdown, each sentence with the file it stands in."""

    async def process(
        self,
        root: str,
        paths: list[str],
        overview: Summary,
        gists: list[Summary],
        *,
        pages: list[Summary] | None = None,
    ) -> str:
        """Return the brief of the tree named *root* with the files *paths*."""
        return render(root, paths, overview, gists, pages or [])


def render(
    root: str,
    paths: Sequence[str],
    overview: Summary,
    gists: Sequence[Summary],
    pages: Sequence[Summary],
) -> str:
    """Return the brief: title, what it is for, the modules, the rest, what was left out."""
    by_path = {gist["path"]: gist for gist in gists}
    modules = name_modules(paths, root=root)
    shipped = [m for m in modules if m.package and not is_test(m.path)]
    scripts = [m for m in modules if not m.package and not is_test(m.path)]
    tests = [m.path for m in modules if is_test(m.path)]
    missing = [path for path in paths if path.endswith(".py") and path not in by_path]
    lines = [f"# {_shown(_title(root, pages, shipped))}", ""]
    lines += _purpose(overview)
    lines += _packages(shipped, by_path)
    lines += _scripts(scripts, by_path)
    lines += _tests(tests)
    lines += _left_out(missing)
    return "\n".join(lines).rstrip() + "\n"


def _title(root: str, pages: Sequence[Summary], shipped: Sequence[Module]) -> str:
    top = next((page["title"] for page in pages if "/" not in page["path"] and page["title"]), "")
    names = list(dict.fromkeys(module.package for module in shipped))
    return top or (names[0] if len(names) == 1 else root)


def _purpose(overview: Summary) -> Iterator[str]:
    if not overview["sentences"]:
        return
    yield from ("## What it is for", "")
    for sentence in overview["sentences"]:
        yield f"- {_told(sentence)} {_place(sentence['path'], sentence['line'])}"
    yield ""


def _packages(shipped: Sequence[Module], gists: Mapping[str, Summary]) -> Iterator[str]:
    if not shipped:
        return
    yield from ("## Modules", "")
    for package, group in groupby(shipped, key=lambda module: module.package):
        members = list(group)
        top = [module for module in members if module.name == package]
        yield f"### {_shown(package)}"
        yield ""
        for module in top:
            yield from _line(module, gists, bullet="")
            yield ""
        inner = [module for module in members if module.name != package]
        yield from _members(inner, gists)


def _members(inner: Sequence[Module], gists: Mapping[str, Summary]) -> Iterator[str]:
    told, named = list(inner), list[Module]()
    if len(inner) > MAX_LINES:
        told = [module for module in inner if not _is_private(module)][:MAX_LINES]
        named = [module for module in inner if module not in told]
    for module in told:
        yield from _line(module, gists, bullet="- ")
    if named:
        yield from ("", f"And: {_listed(_link(m.name, m.path) for m in named)}.")
    if inner:
        yield ""


def _is_private(module: Module) -> bool:
    return any(part.startswith("_") and part != "__main__" for part in module.name.split("."))


def _line(module: Module, gists: Mapping[str, Summary], *, bullet: str) -> Iterator[str]:
    gist = gists.get(module.path)
    if gist is None:
        yield f"{bullet}{_link(module.name, module.path)}: left out, see below."
    elif gist["sentences"]:
        sentence = gist["sentences"][0]
        named = _link(module.name, module.path, sentence["line"])
        yield f"{bullet}{named}: {_told(sentence)}"
    elif gist["names"]:
        names = _listed(f"`{name}`" for name in gist["names"][:MAX_NAMES])
        yield f"{bullet}{_link(module.name, module.path)} defines {names}."
    else:
        yield f"{bullet}{_link(module.name, module.path)}"


def _scripts(scripts: Sequence[Module], gists: Mapping[str, Summary]) -> Iterator[str]:
    if not scripts:
        return
    yield from ("## Scripts", "")
    for module in scripts[:MAX_LINES]:
        yield from _line(module, gists, bullet="- ")
    if len(scripts) > MAX_LINES:
        yield f"- and {len(scripts) - MAX_LINES} more."
    yield ""


def _tests(tests: Sequence[str]) -> Iterator[str]:
    if not tests:
        return
    folders = dict.fromkeys(path.rpartition("/")[0] or "." for path in tests)
    counted = (
        f"`{_shown(f)}` ({sum((p.rpartition('/')[0] or '.') == f for p in tests)})" for f in folders
    )
    yield from ("## Tests", "", f"Files of tests by folder: {_listed(counted)}.", "")


def _left_out(missing: Sequence[str]) -> Iterator[str]:
    if not missing:
        return
    yield from ("## Left out", "", "These files could not be read:", "")
    yield from (f"- `{_shown(path)}`" for path in missing)


def _place(path: str, line: int) -> str:
    return f"([{_shown(path)}:{line}]({quote(path)}#L{line}))"


def _link(name: str, path: str, line: int | None = None) -> str:
    place = quote(path) if line is None else f"{quote(path)}#L{line}"
    return f"[`{_shown(name)}`]({place})"


def _shown(name: str) -> str:
    """Return a file's name as it may stand in a line of Markdown: whatever it holds, it is text."""
    return "".join("?" if not c.isprintable() or c in "`[]<>|" else c for c in name)


def _told(sentence: Sentence) -> str:
    text, name = sentence["text"], sentence["name"]
    ended = text if text[-1] in ".!?" else f"{text}."
    ended = "".join(c for c in ended if c.isprintable())
    return f"`{name}`: {ended}" if name else ended


def _listed(items: Iterable[Any]) -> str:
    return ", ".join(map(str, items))
