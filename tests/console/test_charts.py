"""From counted buckets to bars."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from console.charts import HEIGHT, MAX_BARS, STEP, chart_of
from console.rows import Bucket, Summary

MADRID, ZULU = ZoneInfo("Europe/Madrid"), ZoneInfo("UTC")


def summary(unit: str, *buckets: Bucket) -> Summary:
    return Summary(0, 0, 0, {}, {}, unit, list(buckets))


def test_empty_days_are_bars_too() -> None:
    busy = Bucket(datetime(2026, 11, 2, tzinfo=UTC), 4, 1)
    chart = chart_of(summary("day", busy), datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC), ZULU)
    assert [bar.height for bar in chart.bars] == [0, HEIGHT, 0]
    assert [bar.bought for bar in chart.bars] == [0, HEIGHT / 4, 0]
    assert chart.bars[1].words == "Mon 2 Nov: 4 sessions, 1 with purchase"
    assert (chart.width, chart.most) == (3 * STEP, 4)
    assert chart.below == ["Sun 1 Nov", "Mon 2 Nov", "Tue 3 Nov"]


def test_day_of_clock_change_is_one_bar() -> None:
    since, until = datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 26, 23, tzinfo=UTC)
    after = Bucket(datetime(2026, 10, 25, 23, tzinfo=UTC), 2, 0)
    chart = chart_of(summary("day", after), since, until, MADRID)
    assert [bar.height for bar in chart.bars] == [0, 0, HEIGHT]


def test_hours_and_months_begin_where_the_zone_says() -> None:
    since = datetime(2026, 1, 15, tzinfo=UTC)
    months = chart_of(summary("month"), since, datetime(2026, 4, 2, tzinfo=UTC), MADRID)
    assert (months.below, len(months.bars)) == (["Jan 2026", "Mar 2026", "Apr 2026"], 4)
    hours = chart_of(summary("hour"), since, since + timedelta(days=1), MADRID)
    assert len(hours.bars) == 24
    assert hours.below[0] == "Thu 15 Jan 01:00"


def test_hour_after_a_clock_change_meets_its_bucket() -> None:
    since = datetime(2026, 10, 24, 22, tzinfo=UTC)
    bucket = Bucket(since + timedelta(hours=10), 1, 0)
    chart = chart_of(summary("hour", bucket), since, since + timedelta(hours=25), MADRID)
    assert chart.bars[10].height == HEIGHT


def test_number_of_bars_is_bounded() -> None:
    chart = chart_of(summary("month"), datetime(2000, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC), ZULU)
    assert len(chart.bars) == MAX_BARS
