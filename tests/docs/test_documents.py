"""What the documents promise about one another, and what no file may give away."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

# A path into someone's home or work folder tells where a file was written and breaks elsewhere.
# Accounts that exist everywhere (root, the database's) are no one's home.
PRIVATE_PATH = re.compile(r"(?<![\w.}\-/])/(?:home/(?!\$|<|\{)\w|Users/\w|work/\w|workspace/\w)")


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, check=True
    )
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def _documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _anchors(document: Path) -> set[str]:
    """Return the anchors of the headings of ``document``, as forges make them."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(text)
    }


def _broken_links(document: Path) -> list[str]:
    """Return the links of ``document`` that lead to no file or to no heading."""
    broken = []
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    for found in LINK.finditer(text):
        link = found.group(1) or found.group(2)
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        is_lost = not target.exists()
        if is_lost or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_documents_leads_somewhere(document: Path) -> None:
    assert _broken_links(document) == []


def test_a_lost_file_and_a_lost_heading_are_both_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One thing\n[a](#one-thing) [b](gone.md) [c](page.md#gone)\n", "utf-8")
    assert _broken_links(page) == ["gone.md", "page.md#gone"]


def test_no_tracked_file_names_a_path_into_a_home_or_work_folder() -> None:
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if PRIVATE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize("folder", ["home", "Users", "work", "workspace"])
def test_a_private_path_would_be_found(folder: str) -> None:
    assert PRIVATE_PATH.search(f"see /{folder}/ana/notes.txt")


@pytest.mark.parametrize("text", ["WORKSPACE/dr.yaml", "LABDIR/workspace/x", "lab/work/x", "a/b"])
def test_a_relative_path_is_no_private_path(text: str) -> None:
    assert PRIVATE_PATH.search(text) is None


def test_the_exit_codes_of_the_reference_are_all_different() -> None:
    text = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
    assert codes == [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]


def test_every_word_of_the_glossary_has_a_chinese_one_and_is_said_once() -> None:
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE)
    entries = [(word, chinese) for word, chinese in rows if word != "word"]
    words = [word for word, _ in entries]
    assert len(words) > 40
    assert sorted(set(words)) == sorted(words)
    assert [word for word, chinese in entries if not re.search(r"[一-鿿]", chinese)] == []
