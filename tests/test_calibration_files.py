"""``ovenctl calibrate``: from laboratory file and journal to a parameter set, and what is refused on the way."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from controller import config as configs
from controller.__main__ import app
from controller.calibrate import calibrate, parameter_set, read
from controller.calibrate.heat import heat_of, survey
from controller.errors import FileError
from controller.estimator.calibration import LAW_LN_SD, insoluble
from controller.estimator.exposure import exposure_of
from controller.journal.product import LIMITS, Coupon, Properties, read_lab_file
from tests.rates import ln_rate_sd
from tests.test_calibration import held
from tests.written_batch import a_batch

ASSAY = "assay = { solvent = 'NMP', extraction_c = 80, extraction_h = 24, concentration_wt_pct = 0.5 }\n"
RUNGS = (("A1", 230.0, 9.0), ("A2", 230.0, 14.0), ("A3", 240.0, 5.0), ("A4", 240.0, 9.0), ("A5", 250.0, 2.8), ("A6", 255.0, 4.0))
TRUTH = np.array([[np.log(3.4)], [160.0], [2.2], [1.25], [65.0]])


def coupon(name: str, source: str, gel_pct: float, sd: float | None = 1.5) -> str:
    spread = "" if sd is None else f"insoluble_sd_pct = {sd}\n"
    return f"\n[[coupons]]\nname = '{name}'\nposition = 'shelf 2'\n{source}\ninsoluble_pct = {gel_pct}\n{spread}{ASSAY}"


def ladder(head: str = "lot = 'L1'\nresin = 'PAI'\ndate = '2026-11-20'\n", truth: np.ndarray = TRUTH, **wrong_pct: float) -> str:
    gel = 100 * insoluble(exposure_of([held(temp_c, hours) for _, temp_c, hours in RUNGS]), truth)[:, 0]
    text = head
    for (name, temp_c, hours), value in zip(RUNGS, gel, strict=True):
        text += coupon(name, f"history = [[0, {temp_c}], [{hours}, {temp_c}]]", wrong_pct.get(name, round(float(value), 2)))
    return text


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_batch(tmp_path_factory.mktemp("journal") / "oven.sqlite")


def run(*args: object) -> Any:
    return CliRunner().invoke(app, ["calibrate", *map(str, args)])


def test_coupons_that_contradict_each_other_become_no_parameter_set(tmp_path: Path) -> None:
    out = tmp_path / "L1.toml"
    twice = run(written(tmp_path / "lab.toml", ladder(A3=95.0, A5=3.0)), "--out", out)
    assert isinstance(twice.exception, FileError)
    assert "coupons = 'A5 -8 sd, A3 +7 sd': must agree" in str(twice.exception)
    assert not out.exists()
    shown = run(tmp_path / "lab.toml")
    assert shown.exit_code == 0
    assert "nothing written" in shown.output
    assert run(written(tmp_path / "one.toml", ladder(A3=95.0)), "--out", out).exit_code == 0  # one gross error is named and left out
    assert out.exists()


def test_a_ladder_becomes_a_parameter_set_that_the_controller_loads(tmp_path: Path) -> None:
    lab, out = written(tmp_path / "lab.toml", ladder()), tmp_path / "L1.toml"
    result = run(lab, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.output.splitlines()[-1])
    found, sha256 = read(out)
    assert said["sha256"] == sha256
    assert (found.version, found.lot, found.date, found.parent_sha256) == (1, "L1", "2026-11-20", "")
    assert found.lab_sha256 == read_lab_file(lab)[1]
    assert abs(np.log(found.estimator.gel_time_240c_h / 3.4)) < 2 * found.posterior.sd[0]
    assert abs(found.estimator.activation_energy_kj_mol - 160.0) < 2 * found.posterior.sd[1]
    assert found.posterior.sd[0] < 0.12
    # energy and vitrification share what the ladder says of the rate over temperature: together they are known, each alone is not
    for temp_k in (503.15, 523.15):
        assert ln_rate_sd(np.array(found.posterior.mean), found.covariance, temp_k) < 0.12
    assert abs(found.posterior.best_known_ln_sd) <= found.posterior.sd[0]
    assert max(abs(row.z) for row in found.coupon) < 2
    section = out.read_text().split("\n[estimator]")[1].split("\n[")[0]
    loaded = configs.load(written(tmp_path / "controller.toml", f"[settings.estimator]{section}"))
    assert loaded.settings.estimator.gel_time_240c_h == found.estimator.gel_time_240c_h
    assert loaded.settings.estimator == found.estimator


def test_a_parameter_set_is_never_overwritten_and_reads_back_as_it_was(tmp_path: Path) -> None:
    lab, out = written(tmp_path / "lab\x7f.toml", ladder('lot = "L1 \\\\ ü \\""\nresin = "PAI"\n')), tmp_path / "set.toml"
    found = calibrate(lab, [], "2026-11-22").parameters
    parameter_set.write(found, out)
    before = out.read_bytes()
    assert read(out)[0].model_dump() == found.model_dump()
    with pytest.raises(FileError, match="never overwritten"):
        parameter_set.write(found, out)
    assert isinstance(run(lab, "--out", out).exception, FileError)
    assert out.read_bytes() == before


def test_the_next_set_names_its_parent_and_learns_nothing_twice(tmp_path: Path) -> None:
    lab, first = written(tmp_path / "lab.toml", ladder()), tmp_path / "1.toml"
    assert run(lab, "--out", first, "--held-out", "A4").exit_code == 0
    _, sha256 = read(first)
    assert "learnt from them already" in str(run(lab, "--prior", first).exception)
    fresh = "lot = 'L1'\nresin = 'PAI'\n" + coupon("B1", "history = [[0, 245], [5, 245]]", 60.0)
    second = tmp_path / "2.toml"
    assert run(written(tmp_path / "b.toml", fresh), "--prior", first, "--out", second, "--date", "2026-12-01").exit_code == 0
    found = read(second)[0]
    assert (found.version, found.parent, found.parent_sha256, found.date) == (2, "1.toml", sha256, "2026-12-01")
    assert found.posterior.sd[0] < read(first)[0].posterior.sd[0]
    assert "learnt from them already" in str(run(lab, "--prior", second, "--held-out", "A4").exception)  # its grandparent's coupons


def test_the_estimators_section_holds_the_correlation_and_the_order_with_its_spread(tmp_path: Path) -> None:
    out = tmp_path / "1.toml"
    assert run(written(tmp_path / "lab.toml", ladder()), "--out", out).exit_code == 0
    found = read(out)[0]
    section, belief = tomllib.loads(out.read_text())["estimator"], found.posterior
    upper = [belief.correlation[i][j] for i in range(5) for j in range(i + 1, 5)]
    assert section["cure_correlation"] == pytest.approx(upper, abs=1e-4)
    assert abs(section["cure_correlation"][0]) > 0.01
    offset = (section["vitrification_offset_k"], section["vitrification_offset_sd_k"])
    assert offset == (pytest.approx(belief.mean[4], rel=1e-4), pytest.approx(belief.sd[4], rel=1e-4))
    assert (section["order"], section["order_sd"]) == (pytest.approx(belief.mean[3], rel=1e-4), pytest.approx(belief.sd[3], rel=1e-4))
    forged = out.read_text().replace(f"order_sd = {section['order_sd']}", "order_sd = 0.01")
    assert forged != out.read_text()
    with pytest.raises(FileError, match="order_sd"):
        read(written(tmp_path / "forged.toml", forged))
    tied = out.read_text().replace(f"cure_correlation = [{section['cure_correlation'][0]}", "cure_correlation = [0.0")
    assert tied != out.read_text()
    with pytest.raises(FileError, match=r"estimator\.cure_correlation"):
        read(written(tmp_path / "tied.toml", tied))


def test_a_set_names_its_lot_to_the_estimator_and_an_older_one_need_not(tmp_path: Path) -> None:
    text = parameter_set.to_toml(calibrate(written(tmp_path / "lab.toml", ladder()), [], "2026-11-22").parameters)
    head, section = text.split("\n[estimator]\n")
    assert tomllib.loads(text)["estimator"]["lot"] == "L1"
    old, forged = ("\n[estimator]\n".join((head, section.replace('lot = "L1"\n', other, 1))) for other in ("", 'lot = "L2"\n'))
    assert read(written(tmp_path / "old.toml", old))[0].estimator.lot is None
    with pytest.raises(FileError, match=r"estimator\.lot = 'L2': does not agree with lot, which says L1"):
        read(written(tmp_path / "forged.toml", forged))


def test_a_lot_that_cures_twice_as_slowly_is_a_significant_drift(tmp_path: Path) -> None:
    sets = []
    for i, hours in enumerate((3.4, 3.4, 6.8)):
        truth = TRUTH.copy()
        truth[0] = np.log(hours)
        lab = written(tmp_path / f"lab{i}.toml", ladder(f"lot = 'L{i}'\nresin = 'PAI'\ndate = '2026-11-2{i}'\n", truth))
        sets.append(tmp_path / f"set{i}.toml")
        assert run(lab, "--out", sets[-1]).exit_code == 0
    rows = json.loads(run("--show", *sets, "--json").output)["drift"]
    assert rows[0]["gel_time_z"] is None
    assert abs(rows[1]["gel_time_z"]) < 0.1
    assert rows[2]["gel_time_z"] > 4
    assert f"{rows[2]['gel_time_z']:+.1f}*" in run("--show", *sets).output


def test_coupons_kept_back_are_foretold_and_better_than_before(tmp_path: Path) -> None:
    found = calibrate(written(tmp_path / "lab.toml", ladder()), [], "2026-11-22", held_out=["A4"])
    (row,) = found.held_out
    before, after = row.before, row.after
    assert after.low <= row.insoluble_pct <= after.high
    assert after.high - after.low < 0.3 * (before.high - before.low)
    assert found.parameters.held_out == ("A4",)
    assert "A4" not in [one.name for one in found.parameters.coupon]


def test_where_nothing_can_be_written_is_said_before_the_calculation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.calibrate.cli.calibrate", lambda *_, **__: pytest.fail("calculated"))
    lab = written(tmp_path / "lab.toml", ladder())
    assert f"{tmp_path / 'none'}': must be a folder" in str(run(lab, "--out", tmp_path / "none" / "L1.toml").exception)
    assert f"{lab}': must be a folder" in str(run(lab, "--out", lab / "L1.toml").exception)
    assert "does not go with --show" in str(run(lab, "--show", "--out", tmp_path / "L1.toml").exception)


@pytest.mark.parametrize(("given", "says"), [("2026-11-20", ""), ("'20.11.2026'", "YYYY-MM-DD"), ("2026-11-20T08:00:00", "YYYY-MM-DD")])
def test_a_day_is_read_or_its_form_is_named(tmp_path: Path, given: str, says: str) -> None:
    lab = written(tmp_path / "lab.toml", f"date = {given}\n")
    if says:
        with pytest.raises(FileError, match=says):
            read_lab_file(lab)
    else:
        assert read_lab_file(lab)[0].date == given


def test_an_unknown_key_of_a_coupon_gets_the_coupons_own_keys(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="solvent = 'NMP': unknown key; allowed are position, name") as refused:
        read_lab_file(written(tmp_path / "lab.toml", ladder() + "solvent = 'NMP'\n"))
    assert "did you mean" not in str(refused.value)


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="begins with a byte order mark; save as UTF-8 without"):
        read_lab_file(written(tmp_path / "lab.toml", "\ufeff" + ladder()))


def test_a_single_coupon_is_not_held_against_others(tmp_path: Path) -> None:
    text = "lot = 'L1'\nresin = 'PAI'\n" + coupon("A1", "history = [[0, 230.0], [0.2, 230.0]]", 95.0)
    said = "\n".join(calibrate(written(tmp_path / "lab.toml", text), [], "2026-11-22").warnings)
    assert "A1 +" in said
    assert "the prior foretells" in said
    assert "other coupons" not in said
    assert "--held-out" not in said


@pytest.mark.parametrize("history", ["[[0, 345], [0.05, 345]]", "[[0, 329], [0.1, 329]]", "[[0, 400], [0.02, 400]]"])
def test_a_coupon_hotter_than_the_model_is_calibrated_with_a_warning(tmp_path: Path, history: str) -> None:
    text = "lot = 'L1'\n" + coupon("A", f"history = {history}", 70.0)
    said = calibrate(written(tmp_path / "lab.toml", text), [], "2026-11-22").warnings
    assert [one for one in said if "327 degC, where the model ends: A" in one]


def test_fractions_are_not_taken_for_percent(tmp_path: Path) -> None:
    two = (
        "lot = 'L1'\n"
        + coupon("A", "history = [[0, 240], [2, 240]]", 0.45, 0.05)
        + coupon("B", "history = [[0, 240], [5, 240]]", 0.67, 0.05)
    )
    with pytest.raises(FileError, match=r"coupon 2, insoluble_pct = 0\.67: percent, not a fraction\?"):
        calibrate(written(tmp_path / "lab.toml", two), [], "2026-11-22")
    assert (
        calibrate(written(tmp_path / "lab.toml", two.replace("0.67", "1.67")), [], "2026-11-22").parameters.coupon[0].insoluble_pct == 0.45
    )


def test_coupons_without_gel_become_no_parameter_set(tmp_path: Path) -> None:
    none = coupon("A", "history = [[0, 240], [2, 240]]", 0.0) + coupon("B", "history = [[0, 255], [2, 255]]", 0.0)
    lab, out = written(tmp_path / "lab.toml", "lot = 'L1'\n" + none), tmp_path / "set.toml"
    assert "coupons = '0.0 effective coupons': at least 0.5: of the rate they say nothing" in str(run(lab, "--out", out).exception)
    assert not out.exists()
    assert "no parameter set: coupons = '0.0 effective coupons'" in run(lab).output
    assert len(json.loads(run(lab, "--json").output)["refused"]) == 1


def test_a_prior_of_another_solvent_is_refused(tmp_path: Path) -> None:
    first = tmp_path / "1.toml"
    parameter_set.write(calibrate(written(tmp_path / "lab.toml", ladder()), [], "2026-11-22").parameters, first)
    other = written(tmp_path / "b.toml", "lot = 'L2'\nsolvent = 'DMAc'\n" + coupon("B1", "history = [[0, 245], [5, 245]]", 60.0))
    with pytest.raises(FileError, match=r"solvent = 'DMAc': NMP, from which the film of the prior 1\.toml was cast"):
        calibrate(other, [], "2026-11-22", prior_path=first)


def test_the_next_reader_of_a_set_sees_its_warnings(tmp_path: Path) -> None:
    lab, out = written(tmp_path / "lab.toml", ladder(A4=35.0)), tmp_path / "set.toml"
    parameter_set.write(calibrate(lab, [], "2026-11-22").parameters, out)
    assert [said for said in read(out)[0].warnings if said.startswith("A4 -")]
    shown = run("--show", out)
    assert "set.toml: warning: A4 -" in shown.output
    assert json.loads(run("--show", out, "--json").output)["drift"][0]["warnings"] == list(read(out)[0].warnings)
    line = next(line for line in out.read_text().splitlines() if line.startswith("warnings = "))
    old = written(tmp_path / "old.toml", out.read_text().replace(line + "\n", ""))
    assert read(old)[0].warnings == ()


@pytest.mark.parametrize("key", ["name", "position", "lot"])
@pytest.mark.parametrize("code", ["\\u001b[31m", "\\u009b31m", "\\n"])
def test_a_name_that_a_terminal_would_obey_is_refused(tmp_path: Path, key: str, code: str) -> None:
    text = f'[[coupons]]\n{key} = "a{code}b"\n' + ("" if key == "position" else "position = 'x'\n") + ASSAY
    with pytest.raises(FileError, match=rf"coupon 1, {key} = .*must have no control characters") as refused:
        read_lab_file(written(tmp_path / "lab.toml", text))
    assert str(refused.value).isprintable()


def test_how_a_result_below_the_limit_of_detection_is_written_is_said(tmp_path: Path) -> None:
    text = coupon("A", "history = [[0, 240], [5, 240]]\nresidual_wt_pct = '<0.1'", 55.0)
    with pytest.raises(FileError, match=r"residual_wt_pct = '<0\.1': .*write 0, and the limit as residual_limit_wt_pct \(coupon 'A'\)"):
        read_lab_file(written(tmp_path / "lab.toml", text))
    lab, _ = read_lab_file(written(tmp_path / "lab.toml", text.replace("'<0.1'", "0\nresidual_limit_wt_pct = 0.1")))
    assert (lab.coupons[0].residual_wt_pct, lab.coupons[0].residual_limit_wt_pct) == (0.0, 0.1)


@pytest.mark.parametrize("coupons", ["coupons = 3\n", "coupons = [1]\n", "coupons = [{ name = 3 }]\n", "[coupons]\nname = 'A'\n"])
def test_coupons_that_are_none_have_no_name_in_the_error(tmp_path: Path, coupons: str) -> None:
    with pytest.raises(FileError, match="coupons") as refused:
        read_lab_file(written(tmp_path / "lab.toml", coupons))
    assert "(coupon" not in str(refused.value)


def test_a_coupon_that_was_only_weighed_cannot_be_kept_back_and_that_is_said(tmp_path: Path) -> None:
    only = f"\n[[coupons]]\nname = 'E'\nposition = 'oven'\nhistory = [[0, 150], [2, 150]]\nresidual_wt_pct = 2.5\n{ASSAY}"
    with pytest.raises(FileError, match="--held-out = 'E': has no insoluble_pct, which alone is foretold"):
        calibrate(written(tmp_path / "lab.toml", ladder() + only), [], "2026-11-22", held_out=["E"])


def test_residual_solvent_of_a_coupon_of_a_roll_is_not_learnt_from_and_that_is_said(tmp_path: Path, journal: Path) -> None:
    text = ladder() + coupon("core 490 m", "batch = 7\nzone = 'core'\nresidual_wt_pct = 0.4", 48.0)
    said = calibrate(written(tmp_path / "lab.toml", text), [journal], "2026-11-22").warnings
    assert "residual solvent of core 490 m is not learnt from: a roll dries through its gaps" in said


def test_an_outlier_is_named(tmp_path: Path) -> None:
    right = calibrate(written(tmp_path / "right.toml", ladder()), [], "2026-11-22")
    assert not [said for said in right.warnings if "foretell" in said]
    wrong = calibrate(written(tmp_path / "wrong.toml", ladder(A4=35.0)), [], "2026-11-22")
    assert any(said.startswith("A4 -") for said in wrong.warnings), wrong.warnings


def test_coupons_at_one_temperature_say_nothing_of_the_energy_and_that_is_told(tmp_path: Path) -> None:
    text = "lot = 'L1'\n" + coupon("A", "history = [[0, 240], [5, 240]]", 40.0) + coupon("B", "history = [[0, 242], [7, 242]]", 66.0)
    found = calibrate(written(tmp_path / "lab.toml", text), [], "2026-11-22")
    assert found.parameters.posterior.sd[1] > 24.0
    assert any("activation energy" in said and "two temperatures" in said for said in found.warnings)


@pytest.mark.parametrize(
    ("zone", "columns"),
    [("outer", ["outer"]), ("edge", ["edge"]), ("core", ["core"]), ("middle", ["outer", "core"]), ("upper", ["outer", "core"])],
)
def test_the_journal_gives_the_history_of_a_place_on_the_roll(journal: Path, zone: str, columns: list[str]) -> None:
    from controller.journal.reader import JournalReader
    from controller.journal.table import read as read_table

    cut = Coupon.model_validate({"position": "x", "batch": 7, "zone": zone, "assay": {"solvent": "NMP"}})
    found = heat_of(cut, "coupons.0", (survey(journal),), "lab.toml")
    with JournalReader(journal) as reader:
        table = read_table(reader, 1, reader.last_seq(), [f"load_{name}_c" for name in columns])
    expected = np.mean([np.interp(found.history.at_s, table.at_s, table.columns[f"load_{name}_c"]) for name in columns], axis=0)
    assert np.abs(found.history.temp_k - 273.15 - expected).max() < 2.0  # means over a minute of a ramp of 1 K/min, with noise
    assert found.history.temp_k.max() > 500
    assert found.source == "batch oven.sqlite:7"
    assert found.sd_k >= 1.5
    assert (found.sd_k > 1.5) == (len(columns) > 1)


def test_a_coupon_of_a_roll_counts_with_its_journal_in_the_provenance(tmp_path: Path, journal: Path) -> None:
    text = ladder() + coupon("core 490 m", "batch = 7\nzone = 'core'", 48.0)
    found = calibrate(written(tmp_path / "lab.toml", text), [journal], "2026-11-22").parameters
    (used,) = found.journal
    assert (used.file, used.batches, used.head_sha256) == ("oven.sqlite", ("7",), survey(journal).head)
    row = found.coupon[-1]
    assert (row.source, row.zone) == ("batch oven.sqlite:7", "core")
    assert 200 < row.effective_c < 245
    without = calibrate(tmp_path / "lab.toml", [journal], "2026-11-22", held_out=["7"])
    assert [one.name for one in without.held_out] == ["core 490 m"]
    assert without.parameters.journal[0].batches == ()


BAD = [
    ("insoluble_pct = 55", "insoluble_pct = 155", "coupon 1, insoluble_pct = 155"),
    ("insoluble_sd_pct", "insoluble_sd", "did you mean insoluble_sd_pct?"),
    ("insoluble_sd_pct = 1.5", "", "coupon 1, insoluble_sd_pct = '(missing)'"),
    ("insoluble_pct = 55", "insoluble_pct = nan", "coupon 1, insoluble_pct"),
    ("[5, 240]", "[0, 240]", "hours must increase"),
    ("[5, 240]", "[5, 1240]", "coupon 1, history 2.2"),
    ("[0, 240], [5, 240]", "[0, 24], [5, 24]", "must pass 150 degC"),
    ("[0, 240], [5, 240]", "[0, 240]", "coupon 1, history"),
    ("history = [[0, 240], [5, 240]]", "", "either batch and zone, or history"),
    ("history = [[0, 240], [5, 240]]", "batch = 3\nzone = 'core'", "a batch of the journals given"),
    ("history = [[0, 240], [5, 240]]", "batch = 3\nzone = 'inner'", "'outer', 'upper', 'middle', 'core', 'edge' or 'roll'"),
    ("extraction_h = 24, ", "", "coupon 1, assay.extraction_h = '(missing)'"),
    ("lot = 'L1'", "", "lot = '(missing)'"),
    ("lot = 'L1'", "lot = 'L1", "must be readable TOML"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), BAD)
def test_a_mistake_in_the_laboratory_file_is_named(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    text = "lot = 'L1'\n" + coupon("A", "history = [[0, 240], [5, 240]]", 55)
    assert right in text
    lab = written(tmp_path / "lab.toml", text.replace(right, wrong))
    with pytest.raises(FileError) as refused:
        calibrate(lab, [], "2026-11-22")
    assert "lab.toml: " in str(refused.value)
    assert said in str(refused.value)
    assert ("coupon 1, insoluble_" not in said) or "(coupon 'A')" in str(refused.value)


def test_coupons_of_different_assays_or_of_one_name_are_refused(tmp_path: Path) -> None:
    both = coupon("A", "history = [[0, 240], [5, 240]]", 55) + coupon("A", "history = [[0, 240], [5, 240]]", 55).replace("h = 24", "h = 4")
    with pytest.raises(FileError) as refused:
        calibrate(written(tmp_path / "lab.toml", "lot = 'L1'\n" + both), [], "2026-11-22")
    assert [problem.key for problem in refused.value.problems] == ["coupons.1.assay.extraction_h", "coupons.1.name"]


def test_lots_in_one_file_are_told_apart(tmp_path: Path) -> None:
    both = coupon("A", "lot = 'L1'\nhistory = [[0, 240], [5, 240]]", 55) + coupon("B", "lot = 'L2'\nhistory = [[0, 240], [9, 240]]", 60)
    lab = written(tmp_path / "lab.toml", both)
    with pytest.raises(FileError, match="choose with --lot"):
        calibrate(lab, [], "2026-11-22")
    assert [row.name for row in calibrate(lab, [], "2026-11-22", lot="L2").parameters.coupon] == ["B"]
    with pytest.raises(FileError, match="a lot with measured coupons: L1, L2"):
        calibrate(lab, [], "2026-11-22", lot="L3")


def test_a_journal_whose_chain_is_broken_or_that_is_none_is_no_evidence(tmp_path: Path, journal: Path) -> None:
    import sqlite3

    broken = tmp_path / "broken.sqlite"
    with sqlite3.connect(journal) as source, sqlite3.connect(broken) as target:
        source.backup(target)
        target.execute("DROP TRIGGER entry_is_never_changed")
        target.execute("UPDATE entry SET at_s = at_s + 1 WHERE seq = 20")
    source.close()
    target.close()
    with pytest.raises(FileError, match="entry 20 does not match its hash"):
        survey(broken)
    with pytest.raises(FileError, match="there is no journal"):
        survey(tmp_path / "none.sqlite")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("version = 1", "version = 0", "version = 0"),
        ("\npolydispersity = ", "\npolydispersity = 1", "estimator.polydispersity"),
        ("gel_time_ln_sd", "gel_time_sd", "did you mean gel_time_ln_sd?"),
        ("correlation = [[1.0", "correlation = [[2.0", "ones on the diagonal"),
        ("format = 1", "format = 2", "format = 2"),
    ],
)
def test_a_parameter_set_edited_by_hand_is_refused(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    found = calibrate(written(tmp_path / "lab.toml", ladder()), [], "2026-11-22").parameters
    text = parameter_set.to_toml(found)
    assert right in text
    with pytest.raises(FileError) as refused:
        read(written(tmp_path / "set.toml", text.replace(right, wrong, 1)))
    assert "set.toml: " in str(refused.value)
    assert said in str(refused.value)


def test_the_table_for_people_shows_every_coupon_and_says_that_nothing_was_written(tmp_path: Path) -> None:
    result = run(written(tmp_path / "lab.toml", ladder()))
    assert result.exit_code == 0
    assert all(name in result.output for name, _, _ in RUNGS)
    assert "nothing written" in result.output
    assert tomllib.loads((tmp_path / "lab.toml").read_text())["lot"] == "L1"


def test_the_laws_error_is_in_the_set_and_every_product_limit_is_a_key_of_the_file(tmp_path: Path) -> None:
    assert calibrate(written(tmp_path / "lab.toml", ladder()), [], "2026-11-22").parameters.posterior.law_ln_sd == LAW_LN_SD
    assert tuple(Properties.model_fields) == tuple(LIMITS)
