"""`onsale simulate`: what a setting says, what the figures count, what the report needs."""

import re

import numpy as np
import pytest
from numpy.random import default_rng

from app.cli import main
from app.simulation.charts import Drawn, chart
from app.simulation.figures import figures
from app.simulation.report import html
from app.simulation.setting import BadSetting, parse
from waiting_room.policy import Limits
from waiting_room.simulation.crowd import CrowdModel, draw
from waiting_room.simulation.engine import simulate
from waiting_room.simulation.model import Change

MINUTE_MS = 60_000

pytestmark = pytest.mark.usefixtures("logs_as_before")


def test_a_setting_holds_all_the_time_or_from_a_minute_on():
    terms = parse("pace=300,cap=50, 20:pace=600,20:cap=70,30:paused,35:go,accept=60,shop=10").terms
    assert (terms.accept_ms, terms.shop_ms) == (60_000, 10 * MINUTE_MS)
    at_first = Limits(per_minute=300, max_active=50, open=True)
    later = Limits(per_minute=600, max_active=70, open=True)
    paused = Limits(per_minute=600, max_active=70, open=False)
    assert terms.changes == (
        Change(0, at_first),
        Change(20 * MINUTE_MS, later),
        Change(30 * MINUTE_MS, paused),
        Change(35 * MINUTE_MS, later),
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("speed=3", "speed=3"),
        ("pace=many", "many"),
        ("pace=-3", "-3"),
        ("pace", "pace"),
        ("x:pace=3", "x"),
        ("5:shop=3", "whole sale"),
        ("pace=99999999999999999999", "99999999999999999999"),
    ],
)
def test_what_is_not_understood_is_named(text, named):
    with pytest.raises(BadSetting, match=re.escape(named)):
        parse(text)


def made(setting="pace=600,cap=500", *, seats=None, **model):
    crowd = draw(CrowdModel(fans=3_000, **model), default_rng(1))
    terms = parse(setting).terms
    return crowd, figures(setting, crowd, terms, simulate(crowd, terms, seats=seats))


def test_every_fan_is_counted_once():
    _, said = made()
    assert said.called + said.gave_up + said.unserved == said.fans
    assert said.unserved == 0
    assert said.empty_ms is not None


def test_who_had_not_come_when_everything_was_sold_did_not_wait():
    crowd, said = made(seats=500, at_opening_share=0.2)
    assert said.sold == 500
    assert said.sold_out_ms is not None
    assert said.empty_ms is None
    came = int((crowd.arrives_ms <= said.sold_out_ms).sum())
    assert said.called + said.gave_up + said.unserved == came < said.fans


def test_the_lines_end_where_the_numbers_are():
    _, said = made(seats=1_000)
    assert said.sales[1][-1] == said.sold == 1_000
    assert said.waiting[1][-1] == said.unserved
    assert max(said.busy[1]) <= said.peak_busy <= max(said.cap[1])
    assert (np.diff(said.waited[1]) > 0).all()


def test_a_setting_that_calls_nobody_still_has_a_report():
    _, said = made("pace=0,cap=0")
    assert said.wait_ms is None
    assert "Nobody was called" in html("Nobody.", [said], seats=None)


def test_the_report_is_one_file_that_asks_for_nothing_and_escapes_what_it_is_told():
    _, said = made("pace=600,cap=500")
    page = html("<b>crowd</b>", [said, said], seats=10)
    assert not re.search(r"(src|href)=|url\(|@import|https?:", page)
    assert "<b>crowd</b>" not in page
    assert page.count("<figure") == 5


def test_a_chart_has_round_numbers_on_its_axes():
    line = (np.array([0.0, 47.0]), np.array([0.0, 830.0]))
    texts = re.findall(r">([\d,.]+)</text>", chart("Sold", "tickets", [Drawn(line, 0)]))
    assert {"0", "200", "1,000", "10", "40"} <= set(texts)


def test_the_command_writes_a_report_and_repeats_itself(tmp_path, capsys):
    for name in ("one.html", "two.html"):
        words = ["simulate", "--fans", "500", "--seats", "300", "--out", str(tmp_path / name)]
        assert main([*words, "--setting", "pace=60,cap=20", "--setting", "pace=120,cap=40"]) == 0
    assert (tmp_path / "one.html").read_text() == (tmp_path / "two.html").read_text()
    assert "pace=120,cap=40: waits" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--setting", "speed=3"], ["--fans", "0"]])
def test_the_command_says_what_it_does_not_understand(words, tmp_path, capsys):
    assert main(["simulate", *words, "--out", str(tmp_path / "x.html")]) == 2
    assert capsys.readouterr().err.startswith("onsale: ")
    assert not (tmp_path / "x.html").exists()
