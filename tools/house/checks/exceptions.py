"""Every exception to a rule carries its reason: in a pyproject.toml, and in the code."""

from __future__ import annotations

import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

from house.checks.findings import Finding

# Tables and arrays in a pyproject.toml that switch a rule off.
SWITCHES = re.compile(
    r"^\s*(ignore|extend-ignore|disable_error_code|disallow_\w+\s*=\s*false|ignore_\w+\s*=\s*true"
    r"|follow_imports|omit|exclude(_also)?)\b"
)
REASON = r"\s*(?:-|#)\s*[^\s#-].*"
NOQA = re.compile(r"#\s*(?:ruff:\s*)?noqa\b(?P<rest>.*)", re.IGNORECASE)
NOQA_WHOLE = re.compile(rf"\s*:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*{REASON}")
TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore(?P<rest>.*)")
TYPE_IGNORE_WHOLE = re.compile(rf"\[[\w, -]+\]{REASON}")


MEND = "say why in a comment on that line"
REST = ("tools", "tests-integration")


def check(package: str, folder: Path) -> list[Finding]:
    """Return the exceptions without a reason in the code and the pyproject.toml under *folder*."""
    files = [path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts]
    found = [
        Finding(package, f"{path.relative_to(folder)}:{line}", problem, mend)
        for path in files
        for line, problem, mend in unexplained_comments(path.read_text(encoding="utf-8"))
    ]
    return [*found, *_in_manifest(package, folder / "pyproject.toml")]


def check_rest(root: Path) -> list[Finding]:
    """Return the same for what stands beside the packages of the workspace at *root*."""
    found = _in_manifest("workspace", root / "pyproject.toml")
    return [*found, *(finding for name in REST for finding in check(name, root / name))]


def _in_manifest(package: str, path: Path) -> list[Finding]:
    if not path.is_file():
        return []
    return [
        Finding(package, f"pyproject.toml:{line}", f"an exception without a reason: {what}", MEND)
        for line, what in unexplained_switches(path.read_text(encoding="utf-8"))
    ]


def unexplained_comments(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, problem and mend of each exception in a comment that lacks code or reason.

    >>> list(unexplained_comments("import os  # noqa"))[0][:2]
    (1, 'noqa without a code and a reason')
    >>> list(unexplained_comments("import os  # noqa: F401 - users import it from here"))
    []
    """
    if "noqa" not in text and "type:" not in text:
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        noqa = NOQA.search(token.string)
        if noqa and not NOQA_WHOLE.match(noqa["rest"]):
            yield line, "noqa without a code and a reason", "write: # noqa: CODE - why"
        ignore = TYPE_IGNORE.search(token.string)
        if ignore and not TYPE_IGNORE_WHOLE.match(ignore["rest"]):
            mend = "write: # type: ignore[code]  # why"
            yield line, "type: ignore without a code and a reason", mend


def unexplained_switches(text: str) -> Iterator[tuple[int, str]]:
    r"""Yield line and text of each rule that a pyproject.toml switches off without saying why.

    A reason stands on the line, or alone on the line before it.

    >>> list(unexplained_switches('[tool.ruff.lint]\nignore = [\n "D105",\n]'))
    [(3, '"D105",')]
    """
    table, inside, before = "", False, ""
    for number, line in enumerate(text.splitlines(), 1):
        code = line.strip()
        if code.startswith("[") and not inside:
            table = code.strip("[]")
        elif _is_exception(table, code, inside=inside):
            explained = _comment(code) or (before.startswith("#") and not inside)
            if _names_rule(code) and not explained:
                yield number, code
        if _opens(code, table):
            inside = True
        if inside and _without_comment(code).endswith(("]", "],")):
            inside = False
        before = code
    tomllib.loads(text)  # what does not parse is no answer


def _is_exception(table: str, code: str, *, inside: bool) -> bool:
    if not table.startswith("tool.") or table.startswith(("tool.uv", "tool.hatch")):
        return False
    return inside or "per-file-ignores" in table or bool(SWITCHES.match(code)) or _filters(code)


def _filters(code: str) -> bool:
    return code.startswith("filterwarnings")


def _opens(code: str, table: str) -> bool:
    bare = _without_comment(code)
    return bare.endswith("[") and _is_exception(table, code, inside=False)


def _names_rule(code: str) -> bool:
    bare = _without_comment(code)
    value = bare.partition("=")[2] if "=" in bare else bare
    named = re.findall(r'"([^"]*)"|(true|false)', value)
    return any(word[0] != "error" for word in named)


def _comment(code: str) -> bool:
    return bool(re.search(r"\w", code[len(_without_comment(code)) :]))


def _without_comment(code: str) -> str:
    """Return *code* up to its comment; a # within quotes is none."""
    found = re.match(r"""(?:[^#"']|"[^"]*"|'[^']*')*""", code)
    return (found[0] if found else code).rstrip()
