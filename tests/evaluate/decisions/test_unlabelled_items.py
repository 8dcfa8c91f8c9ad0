"""A file of labels may hold labelled items alone: the others are those that judges scored."""

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.evaluate.decisions.judged_items import read_judged_items


@pytest.fixture
def files(tmp_path):
    (tmp_path / "labels.csv").write_text("id,score\nb,4\nd,2\n")
    (tmp_path / "gpt.csv").write_text(
        "id,system,cluster,rating\n" + "".join(f"{i},s{i},t1,{n}\n" for n, i in enumerate("abcd"))
    )
    (tmp_path / "pro.csv").write_text("id,rating\ne,5\nb,1\n")
    return tmp_path


def read(files, *judges, **options):
    external = [f"{files}/{judge}.csv:rating" for judge in judges]
    return read_judged_items(scores=files / "labels.csv", external=external, **options)


def test_items_of_judges_come_after_those_with_labels(files):
    judged = read(files, "gpt", "pro", unlabelled=True)
    assert judged.ids == ["b", "d", "a", "c", "e"]
    assert judged.labelled.tolist() == [True, True, False, False, False]
    assert list(judged.system) == ["sb", "sd", "sa", "sc", None]
    assert list(judged.cluster) == ["t1"] * 4 + [None]
    np.testing.assert_array_equal(judged.judges["gpt:rating"].scores, [1, 3, 0, 2, np.nan])
    np.testing.assert_array_equal(judged.judges["pro:rating"].scores, [1, np.nan, np.nan, np.nan, 5])
    assert judged.raters == [[4.0], [2.0], [], [], []]


def test_they_are_refused_where_only_labelled_items_are_asked_for(files):
    with pytest.raises(LagerError, match="2 of 4 ids are not among the 2 evaluated items"):
        read(files, "gpt")


def test_files_that_name_an_item_otherwise_are_refused(files):
    (files / "labels.csv").write_text("id,score,system,cluster\nb,4,sb,t1\nd,2,other,t1\n")
    with pytest.raises(LagerError, match=r"gpt.csv: 1 items have another system .*'d', 'sd', where it was 'other'"):
        read(files, "gpt", unlabelled=True)
