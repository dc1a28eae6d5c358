"""`make texts`: brings the catalogues up to date with what is written in code and pages.

Where texts are written: `t("…")` and `tn("one", "many", n)` in templates, Python and scripts;
`N_("…")` where one is only named; the `title` of every error leaf; what `pause_reason` returns,
since the waiting room knows no languages. A new text stands empty in the German catalogue, and
the tests name it, until somebody translates it; one that is gone is removed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import write_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from app.pages.language import SPOKEN, catalogue_path, read_catalogue

ROOT = Path(__file__).parents[2]
LITERAL = r'"((?:[^"\\]|\\.)*)"'
IN_SCRIPTS = re.compile(rf"\b(?:t\(\s*{LITERAL}|tn\(\s*{LITERAL},\s*{LITERAL})")
PACKAGES = ("app", "core", "seatmap", "waiting_room")
NAMES = ("t", "tn", "N_")
Id = str | tuple[str, ...]
Found = tuple[Id, str]  # message id, file


def every_text() -> Iterator[Found]:
    """Every text that somebody may read, with the file it stands in."""
    for folder, pattern, find in (
        ("app/pages", "*.py", called_in_python),
        ("app/pages/templates", "*.html", called_in_template),
        ("static/js", "**/*.js", called_in_script),
        *((package, "**/*.py", said_by_name) for package in PACKAGES),
    ):
        for path in sorted((ROOT / folder).glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            yield from ((text, name) for text in find(path.read_text()))


def called_in_python(source: str) -> Iterator[Id]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            texts = [text for argument in node.args[:2] for text in _strings(argument)]
            if name in NAMES and texts:
                yield texts[0] if name != "tn" else tuple(texts)


def called_in_template(source: str) -> Iterator[Id]:
    for _, _, message in extract_from_ast(Environment(autoescape=True).parse(source), NAMES):
        texts = [message] if isinstance(message, str) else [text for text in message or () if text]
        if texts:
            yield texts[0] if len(texts) == 1 else tuple(texts[:2])


def called_in_script(source: str) -> Iterator[Id]:
    for only, one, many in IN_SCRIPTS.findall(source):
        yield only.replace('\\"', '"') if only else (one, many)


def said_by_name(source: str) -> Iterator[str]:
    """Titles of errors, and reasons why a queue stands still."""
    module = ast.parse(source)
    named = {
        ast.unparse(line.targets[0]): line.value
        for line in module.body
        if isinstance(line, ast.Assign)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "title":
                    yield from _strings(line.value)
        if isinstance(node, ast.FunctionDef) and node.name == "pause_reason":
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and inner.id in named:
                    yield from _strings(named[inner.id])
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield from _strings(inner.value)


def _strings(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value


def id_of(message: Message) -> Id:
    """Babel's id of a message: a tuple where it has a plural."""
    return message.id if isinstance(message.id, str) else tuple(message.id)


def template() -> Catalog:
    catalogue = Catalog(project="Onsale", charset="utf-8")
    for message, file in every_text():
        catalogue.add(message, locations=[(file, 0)])
    return catalogue


def brought_up_to_date(tag: str, wanted: Catalog) -> Catalog:
    """The catalogue with every wanted text and no other. English says what its key says."""
    path = catalogue_path(tag)
    catalogue = read_catalogue(tag) if path.exists() else Catalog(locale=tag, project="Onsale")
    catalogue.update(wanted, no_fuzzy_matching=True, update_header_comment=False)
    catalogue.obsolete.clear()
    for message in catalogue if tag == "en" else ():
        if message.id and not any(message.string or ()):
            message.string = message.id
    return catalogue


def main() -> None:
    for tag in SPOKEN:
        catalogue = brought_up_to_date(tag, template())
        path = catalogue_path(tag)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(HEADER.format(tag=tag, plural=catalogue.plural_forms).encode())
            write_po(file, catalogue, width=100, omit_header=True, sort_output=True)


# No dates and no names: the history knows both, and they would change with every run.
HEADER = """msgid ""
msgstr ""
"Language: {tag}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural}\\n"

"""


if __name__ == "__main__":
    main()
