"""The report of how readiness is told."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient

from baliza.readiness.files import save
from baliza.settings import Settings
from console.readiness import diagram, readiness_report
from tests.baliza.readiness.test_model import file
from tests.console.conftest import TOKEN

MEASURED = {"auc": 0.83, "log_loss": 0.1, "brier": 0.02, "ece": 0.004, "bins": [
    {"weight": 0.9, "predicted": 0.01, "bought": 0.012, "low": 0.01, "high": 0.014},
    {"weight": 0.1, "predicted": 0.2, "bought": 0.19, "low": 0.15, "high": 0.23},
]}  # fmt: skip
ABOUT = {
    "data": {"sessions": 9000, "bought": 400}, "kind": "trees", "tested": {"moments": 7000, "sessions_with_order": 80},
    "model": MEASURED, "rules": MEASURED | {"auc": 0.74}, "auc_gain": [0.05, 0.12],
    "purposes": {"buy": {"share": 0.1, "bought": 0.2}, "browse": {"share": 0.9, "bought": 0.01}},
}  # fmt: skip


def test_tells_what_training_wrote(tmp_path: Path) -> None:
    assert readiness_report(tmp_path, "demo").why == "nothing was learned yet"
    save(tmp_path, file(why="better", trained_at="2026-11-21T11:00:00+00:00", about=ABOUT))
    found = readiness_report(tmp_path, "demo")
    assert (found.basis, found.why, found.sessions, found.sessions_with_order) == ("model", "better", 9000, 400)
    assert found.measured is not None
    assert msgspec.to_builtins(found.measured.model) == MEASURED
    picture = diagram(found, "Told & true")
    assert picture is not None
    assert "Told &amp; true" in picture


def test_a_file_that_cannot_be_read_is_told_as_rules(tmp_path: Path) -> None:
    save(tmp_path, file(about={"model": {"auc": "high"}}))
    found = readiness_report(tmp_path, "demo")
    assert (found.basis, found.measured) == ("rules", None)
    assert "expected" in found.why.lower()
    (tmp_path / "demo" / "readiness" / "1.json").write_text("{")
    assert "cannot be read" in readiness_report(tmp_path, "demo").why
    assert diagram(found, "") is None


@pytest.mark.redis
@pytest.mark.clickhouse
def test_people_and_programs_see_their_own_site(client: FlaskClient, log_in: Callable[..., int], settings: Settings) -> None:
    assert client.get("/v1/reports/readiness").status_code == 401
    assert client.get("/readiness").status_code == 302
    assert log_in() == 303
    assert "Nothing was measured yet" in client.get("/readiness").text
    assert client.get("/readiness.svg").status_code == 404
    save(settings.model_dir, file(why="<b>better</b>", about=ABOUT))
    page = client.get("/readiness").text
    for words in (
        "Told by a model",
        "&lt;b&gt;better&lt;/b&gt;",
        "0.830",
        "20.00 %",
        "On 7,000 moments",
        "/readiness.svg?site=demo",
    ):
        assert words in page
    picture = client.get("/readiness.svg")
    assert (picture.status_code, picture.mimetype) == (200, "image/svg+xml")
    found = client.get("/v1/reports/readiness", headers=TOKEN).json
    assert found is not None
    assert (found["site"], found["measured"]["model"]["auc"]) == ("demo", 0.83)
    other = client.get("/v1/reports/readiness", headers={"Authorization": "Bearer tok_other"}).json
    assert other is not None
    assert (other["site"], other["basis"]) == ("other", "rules")
