"""notebooks/kennel.ipynb, which the notebook instance gets at its first start."""

import ast
import json

from tests.infra.conftest import ROOT, Assembly
from tests.infra.templates import joined

NOTEBOOK = json.loads((ROOT / "notebooks" / "kennel.ipynb").read_text())


def test_it_is_valid_nbformat() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert set(NOTEBOOK) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in NOTEBOOK["cells"]:
        extra = {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"id", "cell_type", "metadata", "source"} | extra


def test_its_cells_compile_and_have_no_output() -> None:
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 4
    for cell in cells:
        ast.parse("".join(cell["source"]))
        assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_it_reads_only_values_that_the_start_script_writes(development: Assembly) -> None:
    (hook,) = development.only("AWS::SageMaker::NotebookInstanceLifecycleConfig")["OnStart"]
    written = json.loads(joined(hook["Content"]["Fn::Base64"]["Fn::Sub"][1]["Deployment"]))
    code = "\n".join("".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code")
    used = {
        node.slice.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "deployment"
        and isinstance(node.slice, ast.Constant)
    }
    assert used
    assert used <= set(written)
