"""The page: self-contained, escaped, well-formed, the same text each time."""

from __future__ import annotations

import dataclasses

from pages import Reader
from secateurs.report import DenseRun, Provenance, render, write_report

EVIL = "<script>alert('x')</script> & \"quoted\""


def test_page_holds_everything_and_fetches_nothing(make_study) -> None:
    page = Reader(
        render(
            make_study(
                provenance=Provenance(
                    "epochs: 10", "secateurs demo", {"torch": "2.6"}, {"init": "0"}, {"dense": "ab12"}
                ),
                citation="@article{x}",
                notes=["A note."],
            )
        )
    )
    for wanted in ("The best moment to prune", "epochs: 10", "secateurs demo", "2.6", "ab12", "@article{x}", "A note."):
        assert wanted in page.text
    assert "script" not in page.tags
    assert "link" not in page.tags
    sources = [value for name, value in page.attributes if name == "src"]
    assert len(sources) == 2
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert len([value for name, value in page.attributes if name == "alt" and "Line chart" in value]) == 2
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_everything_shown_is_escaped(make_study) -> None:
    study = make_study(
        title=EVIL,
        notes=[EVIL],
        triggers={"peak": EVIL},
        provenance=Provenance(EVIL, EVIL, {EVIL: EVIL}, {EVIL: EVIL}, {EVIL: EVIL}),
        citation=EVIL,
    )
    hostile = dataclasses.replace(
        study,
        dense=[dataclasses.replace(run, setting=EVIL) for run in study.dense],
        pruned=[dataclasses.replace(run, setting=EVIL) for run in study.pruned],
    )
    html = render(hostile)
    assert "<script" not in html
    page = Reader(html)
    assert "script" not in page.tags
    assert page.text.count(EVIL) >= 10


def test_same_study_same_text(make_study) -> None:
    assert render(make_study()) == render(make_study())


def test_diverged_runs_are_named(make_study) -> None:
    study = make_study()
    gone = dataclasses.replace(study.pruned[0], summary={"diverged": "3ep1it"})
    text = Reader(render(dataclasses.replace(study, pruned=[gone, *study.pruned[1:]]))).text
    assert "Seed 0, network pruned at epoch 0: diverged after 3ep1it" in text
    assert "1 run diverged and took no part in any mean." in text


def test_bare_studies_have_a_page_too(make_study) -> None:
    study = make_study(seeds=1, triggers={}, triggered={})
    bare = dataclasses.replace(study, dense=[DenseRun(0, "net", 7, 10, [], {})])
    assert "No pruned network has a result yet" in Reader(render(dataclasses.replace(bare, pruned=[]))).text
    assert "training accuracy of the dense networks is not known" in Reader(render(bare)).text


def test_files_of_a_report(make_study, tmp_path) -> None:
    study = make_study()
    more = [dataclasses.replace(run, density=0.05) for run in study.pruned]
    written = write_report(dataclasses.replace(study, pruned=[*study.pruned, *more]), tmp_path / "out")
    assert written.page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    together = ["overview-fisher_trace.png", "overview-kl_uniform.png"]
    assert [path.name for path in written.figures] == [*together, "figure-1.png", "figure-2.png"]
    assert all(path.is_file() for path in (*written.figures, *written.tables))
    assert [path.name for path in write_report(study, tmp_path / "one").figures] == ["figure.png"]
