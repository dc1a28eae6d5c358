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
    assert said.called + said.gave_up + said.gone + said.away_at_end == said.fans
    assert said.unserved == 0
    assert said.empty_ms is not None


def test_who_had_not_come_when_everything_was_sold_did_not_wait():
    crowd, said = made(seats=500, at_opening_share=0.2)
    assert said.sold == 500
    assert said.sold_out_ms is not None
    assert said.empty_ms is None
    came = int((crowd.arrives_ms <= said.sold_out_ms).sum())
    waiting = said.unserved + said.away_at_end
    assert said.called + said.gave_up + said.gone + waiting == came < said.fans


def test_who_went_away_was_called_later_or_is_gone_or_still_away_or_gave_up():
    crowd, said = made(asleep_share=0.5, closed_share=0.2, gives_up_share=0)
    assert said.came_back > 100
    assert said.gone > 0
    assert said.came_back + said.gone + said.away_at_end == said.went_away
    assert said.went_away < len(crowd.absences)  # the others were called before, or back in time
    assert max(said.away[1]) > 50
    page = html("Sleepers.", [said], seats=None)
    assert f"{said.went_away:,}</strong> who went away" in page


def test_who_is_back_within_the_grace_was_never_away():
    _, said = made(asleep_share=0, closed_share=0, offline_share=1, grace_ms=60 * MINUTE_MS)
    assert said.went_away == said.gone == 0
    assert not said.away[1].any()


def test_the_lines_end_where_the_numbers_are():
    _, said = made(seats=1_000)
    assert said.sales[1][-1] == said.sold == 1_000
    assert said.waiting[1][-1] == said.unserved
    assert said.away[1][-1] == said.away_at_end
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--setting speed=3", "'speed=3'"),
        ("--asleep 0.7 --closed 0.4", "at most 1 together"),
        ("--log sale.jsonl --fans 5", "brings its own crowd"),
        ("--log nothing.jsonl", "nothing.jsonl: No such file"),
        ("--out nowhere/report.html", "no file that can be written"),
    ],
)
def test_the_command_says_what_it_does_not_understand(words, said, tmp_path, capsys):
    assert main(["simulate", "--out", str(tmp_path / "x.html"), *words.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("onsale: ")
    assert said in error
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize(
    "words", ["--fans 0", "--early 2", "--sleep nan", "--seats -1", "--seed x"]
)
def test_a_number_out_of_bounds_is_named(words, capsys):
    with pytest.raises(SystemExit):
        main(["simulate", *words.split()])
    word, number = words.split()
    assert re.search(f"argument {word}: '{number}' is no .*number from", capsys.readouterr().err)
