"""Execute a notebook in a real Jupyter kernel, keep it and its HTML, print what it shows.

What is printed are the cells tagged `show`:

    python tools/run_notebook.py notebooks/00_quickstart.ipynb build
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter


def text_of(cell: nbformat.NotebookNode) -> str:
    """Return the text that a cell printed or showed."""
    parts = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream" and output.name == "stdout":
            parts.append(output.text)
        elif output.output_type == "execute_result":
            parts.append(output.data.get("text/plain", ""))
    return "\n".join(part.rstrip("\n") for part in parts)


def tell_section(cell: nbformat.NotebookNode, cell_index: int) -> None:  # noqa: ARG001
    """Print the headings of sections as they are reached."""
    if cell.cell_type == "markdown":
        for heading in re.findall(r"^##? (.+)", cell.source, re.MULTILINE):
            print(f"  {heading}", flush=True)


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path, help="where the executed notebook and its HTML go")
    parser.add_argument("--timeout", type=int, default=600, help="seconds that one cell may take")
    given = parser.parse_args()
    notebook = nbformat.read(given.notebook, as_version=4)
    given.folder.mkdir(parents=True, exist_ok=True)
    executed = given.folder / given.notebook.name
    print(f"Running {given.notebook} …", flush=True)
    began = time.perf_counter()
    client = NotebookClient(
        notebook,
        timeout=given.timeout,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # no note on TCP between processes here
        on_cell_start=tell_section,
        store_widget_state=False,  # panels have a still form; their state would be code and sound
        resources={"metadata": {"path": str(given.notebook.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        print(re.sub(r"\x1b\[[0-9;]*m", "", str(error)), file=sys.stderr)
        return 1
    finally:
        nbformat.write(notebook, executed)
    page = executed.with_suffix(".html")
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    for cell in notebook.cells:
        if "show" in cell.metadata.get("tags", []):
            print(f"\n{text_of(cell)}")
    print(f"\nDone in {time.perf_counter() - began:.0f} s. The executed notebook is {executed},")
    print(f"its page is {page}. `make lab` opens the notebooks in JupyterLab.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
