"""Every error that a caller may meet has one status, one row in the docs, and a way out."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from core.edge import HTTP_STATUS
from core.errors import AppError, leaves

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "waiting_room", "seatmap", "app")


def every_error() -> list[type[AppError]]:
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return leaves()


ERRORS = every_error()
DOCUMENTED = dict(
    re.findall(r"^\| (\w+) \| (\d{3}) \|", (ROOT / "docs/protocol.md").read_text(), re.MULTILINE)
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.__name__)
def test_each_error_has_a_status_and_its_row_in_the_protocol(error):
    assert DOCUMENTED.get(error.code) == str(HTTP_STATUS[error.code])
    assert error.title.endswith(".")


def test_the_tables_name_no_code_that_nothing_raises():
    raised = {error.code for error in ERRORS}
    by_the_framework = {"method_not_allowed", "internal"}
    assert set(HTTP_STATUS) == raised
    assert set(DOCUMENTED) == raised | by_the_framework
