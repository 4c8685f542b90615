"""docs/notebook.ipynb runs from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


@pytest.mark.long
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # the kernel of this environment
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells), "clear the outputs"
    code = "".join(cell.source for cell in notebook.cells)
    for key, often in (("iterations", 200), ("iterations", 400), ("evaluation.every", 100)):
        assert f"{key}={often}" in code
        for cell in notebook.cells:  # a quarter says as much of the cells
            cell.source = cell.source.replace(f"{key}={often}", f"{key}={often // 4}")
    (tmp_path / "work").mkdir()
    resources = {"metadata": {"path": str(tmp_path / "work")}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    shown = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    pages = [data["text/html"] for data in shown if "gan_lab." in data.get("text/plain", "")]
    assert len(pages) == 3  # the run, the run that went on, the comparison
    assert all("data:image/png;base64," in page for page in pages[:2])
    assert "lsgan is ahead" in pages[2] or "non_saturating is ahead" in pages[2]
    assert sum("image/png" in data for data in shown) == 2
    assert len(list((tmp_path / "work" / "outputs").glob("*/result.json"))) == 2
