"""The notebook of the ablation study runs from top to bottom."""

import pytest


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's messaging, not ours
def test_the_ablation_study_runs_and_shows_its_tables_and_figures(repository, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    notebook = nbformat.read(repository / "docs/ablation.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not kept in the repository"
    client.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    tables = [output for output in shown if "lager-tuned" in str(output.get("data", {}).get("text/plain", ""))]
    assert len(tables) >= 4
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
    assert not any(output.get("output_type") == "error" for output in shown)
