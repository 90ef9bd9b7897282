"""The built-in operators and the summarizer, called as the host calls them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from sy_bridge._builtin._markdown import render
from sy_bridge._builtin._modules import is_test, name_modules
from sy_bridge._builtin._python import outline
from sy_bridge._builtin._summarizer import summarize
from sy_bridge._builtin._textrank import rank, similarity, words
from sy_bridge._errors import FolderMissing, NothingMatched, NothingToSay, PythonUnreadable
from sy_bridge.builtin import Chunk, Glob, Join, Read
from sy_commons import SymphonyError


def page(path: str, *texts: str, kind: str = "paragraph") -> dict[str, Any]:
    passages = [
        {"text": text, "line": line, "kind": kind, "name": ""} for line, text in enumerate(texts, 1)
    ]
    return {"path": path, "passages": passages}


class TestGlob:
    async def test_lists_what_matches_and_nothing_excluded(self, tmp_path: Path) -> None:
        for name in ("a.py", "b.txt", "x/c.py", "x/d.py"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("")

        listing = await Glob().process(str(tmp_path), "**/*.py", exclude=["x/d*"])

        assert listing == {"name": tmp_path.name, "paths": ["a.py", "x/c.py"]}

    async def test_a_missing_folder_and_an_empty_one_say_so(self, tmp_path: Path) -> None:
        with pytest.raises(FolderMissing, match="gone"):
            await Glob().process(str(tmp_path / "gone"))
        with pytest.raises(NothingMatched, match=r"\*\*/\*\.py"):
            await Glob().process(str(tmp_path), "**/*.py")
        assert (await Glob().process(str(tmp_path), "*", required=False))["paths"] == []


class TestRead:
    async def test_reads_text(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("x = 'ä'\n")

        assert await Read().process(str(tmp_path), "a.py") == {"path": "a.py", "text": "x = 'ä'\n"}

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"\x7fELF\0\0", "binary"),
            (b"caf\xe9 au lait", "utf-8"),
            (b"x" * 3_000_000, "too large"),
        ],
    )
    async def test_what_cannot_be_used_says_which_and_why(
        self, tmp_path: Path, content: bytes, said: str
    ) -> None:
        (tmp_path / "odd.py").write_bytes(content)

        with pytest.raises(SymphonyError) as raised:
            await Read().process(str(tmp_path), "odd.py")

        assert "odd.py" in str(raised.value)
        assert said in str(raised.value)
        assert raised.value.hint

    async def test_a_link_out_of_the_tree_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "tree").mkdir()
        (tmp_path / "secret.py").write_text("password = 1")
        (tmp_path / "tree" / "a.py").symlink_to(tmp_path / "secret.py")

        with pytest.raises(SymphonyError, match=r"a\.py"):
            await Read().process(str(tmp_path / "tree"), "a.py")


class TestOutline:
    def test_gives_names_imports_and_passages(self) -> None:
        source = '"""Sells many books."""\nfrom shop.till import cash\n'
        source += 'class Shop:\n    """Open daily, always."""\n'

        found = outline("shop.py", source)

        assert found["names"] == ["Shop"]
        assert found["imports"] == ["till"]
        assert [(p["text"], p["kind"], p["name"]) for p in found["passages"]] == [
            ("Sells many books.", "module", ""),
            ("Open daily, always.", "class", "Shop"),
        ]

    @pytest.mark.parametrize("source", ["def (:", "x = \0", "(" * 5000, "print 'two'"])
    def test_what_is_no_python_says_where(self, source: str) -> None:
        with pytest.raises(PythonUnreadable, match=r"old\.py:\d+ is no Python"):
            outline("old.py", source)


class TestSummarizer:
    def test_the_first_sentence_of_the_page_leads(self) -> None:
        found = summarize(
            [page("README.md", "Shops sell books.", "Books are read.", "It rains.")], sentences=2
        )

        assert found["sentences"][0]["text"] == "Shops sell books."

    def test_it_says_nothing_twice(self) -> None:
        texts = ("Reads the files of a tree.", "Read files of the tree.", "Draws a picture of it.")

        found = summarize([page("README.md", *texts)], sentences=3)

        assert [s["text"] for s in found["sentences"]] == [texts[0], texts[2]]

    def test_nothing_to_choose_from_is_an_error_but_not_for_one_silent_file(self) -> None:
        assert summarize([page("a.py")], sentences=1)["sentences"] == []
        with pytest.raises(NothingToSay):
            summarize([page("a.py"), page("b.py")], sentences=1)

    def test_the_ranking_is_a_distribution_and_does_not_depend_on_the_order(self) -> None:
        texts = ["cats chase mice", "mice fear cats", "rain falls", "cats sleep"]
        weights = dict(zip(texts, rank(texts, [1.0] * 4), strict=True))
        shuffled = random.Random(1).sample(texts, 4)
        again = dict(zip(shuffled, rank(shuffled, [1.0] * 4), strict=True))

        assert sum(weights.values()) == pytest.approx(1.0)
        assert again == pytest.approx(weights)

    def test_similarity_is_of_words(self) -> None:
        assert similarity("", "x") == 0.0
        assert words("") == []


class TestText:
    async def test_chunks_keep_path_and_line(self) -> None:
        chunks = await Chunk().process({"path": "README.md", "text": "# Shop\n\nSells books.\n"})

        assert chunks["path"] == "README.md"
        assert [p["line"] for p in chunks["passages"]] == [1, 3]

    async def test_join_takes_texts_and_summaries(self) -> None:
        summary = summarize([page("README.md", "Sells books.")], sentences=1)

        assert await Join().process(["a", summary], separator="|") == "a|Sells books.\n"


class TestModules:
    def test_a_tree_that_is_itself_a_package_takes_its_folders_name(self) -> None:
        found = name_modules(["__init__.py", "_make.py", "sub/__init__.py"], root="attr")

        assert [module.name for module in found] == ["attr", "attr._make", "attr.sub"]

    def test_files_without_a_package_are_modules_at_the_top_and_scripts_below(self) -> None:
        found = name_modules(["six.py", "tools/run.py"], root="r")

        assert [(m.name, m.package) for m in found] == [("tools/run.py", ""), ("six", "six")]

    def test_test_files_are_told_from_modules(self) -> None:
        assert is_test("sy/tests/data/x.py")
        assert not is_test("sy/testing.py")


class TestRender:
    def test_every_module_is_named_whatever_became_of_it(self) -> None:
        gist = summarize([{**page("shop/a.py", "Sells many books."), "names": ["A"]}], sentences=1)
        silent = summarize([{**page("shop/__init__.py"), "names": ["B", "C"]}], sentences=1)
        paths = [
            "shop/__init__.py",
            "shop/a.py",
            "shop/broken.py",
            "shop/tests/test_a.py",
            "run/x.py",
        ]

        brief = render("root", paths, gist, [gist, silent], [])

        assert brief.startswith("# shop\n")
        assert "[`shop.a`](shop/a.py#L1): Sells many books." in brief
        assert "[`shop`](shop/__init__.py) defines `B`, `C`." in brief
        assert "[`shop.broken`](shop/broken.py): left out, see below." in brief
        assert "- `shop/broken.py`" in brief
        assert "`shop/tests` (1)" in brief
        assert "run/x.py" in brief

    def test_whatever_a_file_is_called_its_line_stays_a_line(self) -> None:
        paths = ["shop/__init__.py", "shop/a b(c]`\n\x1b.py"]
        gists = [summarize([{**page(path, "Sells many books.")}], sentences=1) for path in paths]

        brief = render("root", paths, gists[0], gists, [])

        assert "(shop/a%20b%28c%5D%60%0A%1B.py#L1): Sells many books." in brief
        assert all(line.isprintable() for line in brief.splitlines())
