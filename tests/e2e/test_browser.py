"""demo.ipynb in a real JupyterLab and a real browser: panels are there, typeset, and open.

MATMAGIC_REFRESH=1 pytest tests/e2e        # also takes the picture in README.md anew
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PANEL = ".jp-OutputArea-output .widget-vbox"
ERROR = "[data-mime-type*='error'], [data-mime-type*='stderr']"
SETTINGS = {
    # every cell is in the page, seen or not; nothing asks or reports
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser's path; Debian's package is installed if need be and may."""
    if not shutil.which("chromium") and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], check=False)
    found = shutil.which("chromium")
    if not found:
        pytest.skip("no chromium on this machine, and no right to install it: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo, without its saved outputs, in a JupyterLab of its own."""
    home = tmp_path_factory.mktemp("lab")
    notebook = nbformat.read(ROOT / "demo.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    (home / "root").mkdir()
    nbformat.write(notebook, home / "root" / "demo.ipynb")
    for name, values in SETTINGS.items():
        file = home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token=demo"]
    folders = {f"JUPYTERLAB_{key}_DIR": str(home / key.lower()) for key in ("SETTINGS", "WORKSPACES")}
    folders |= {f"JUPYTER_{key}_DIR": str(home / key.lower()) for key in ("CONFIG", "RUNTIME")}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={home / 'root'}"],
            env={**os.environ, **folders, "IPYTHONDIR": str(home / "ipython")},
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/api", server, home / "log")
            yield f"http://127.0.0.1:{port}/doc/tree/demo.ipynb?token=demo"
        finally:
            server.terminate()
            server.wait(20)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.25)
    raise TimeoutError(log.read_text())


@pytest.fixture(scope="module")
def page(chromium: str, address: str) -> Iterator[Page]:
    """The notebook after *Run All Cells*."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1180, "height": 1000}, device_scale_factor=2)
        page.set_default_timeout(60_000)
        page.goto(address)
        page.locator(".jp-CodeCell").last.wait_for()
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()  # before, running asks for a kernel
        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        page.locator(".lm-Menu-itemLabel").get_by_text("Run All Cells", exact=True).click()
        last = page.locator(".jp-CodeCell").last.locator(".jp-InputArea-prompt", has_text=re.compile(r"\[\d+\]"))
        last.or_(page.locator(ERROR)).first.wait_for()
        assert not page.locator(ERROR).all_inner_texts()
        expect(page.locator(PANEL)).to_have_count(len(checked(page)), timeout=20_000)
        yield page
        browser.close()


def checked(page: Page) -> list[Locator]:
    """The cells that end in a report."""
    return page.locator(".jp-CodeCell", has_text="gradcheck").all()


def test_nothing_fails(page: Page) -> None:
    assert page.locator(ERROR).all_inner_texts() == []


def test_every_panel_is_typeset(page: Page) -> None:
    """Each has visible formulas of some size, and no LaTeX source or MathML in their place."""
    assert len(checked(page)) == 18
    for cell in checked(page):
        boxes = cell.locator(f"{PANEL} svg:visible").evaluate_all(
            "found => found.map(svg => svg.getBoundingClientRect()).map(box => Math.min(box.width, box.height))"
        )
        assert boxes and min(boxes) > 5
        assert cell.locator(f"{PANEL} svg").count() == len(boxes)
        assert cell.locator(f"{PANEL} math").count() == 0
        assert "\\" not in cell.locator(PANEL).inner_text()


def test_a_button_opens_the_torch_code(page: Page) -> None:
    panel = checked(page)[2].locator(PANEL).first
    button = panel.get_by_role("button", name="torch code")
    assert "A.T" not in panel.inner_text()
    button.click()
    expect(panel.get_by_text("A @ x + A.T @ x", exact=True)).to_be_visible()
    button.click()
    expect(panel.get_by_text("A @ x + A.T @ x", exact=True)).to_have_count(0)


def test_the_identity_is_typeset_when_it_is_opened(page: Page) -> None:
    panel = checked(page)[2].locator(PANEL).first
    before = panel.locator("svg").count()
    panel.get_by_role("button", name="identity").click()
    expect(panel.locator("svg").nth(before)).to_be_visible()
    panel.get_by_role("button", name="identity").click()


def test_the_picture(page: Page) -> None:
    """README's picture is there; on request it is taken anew from the panel of README's cell."""
    panel = page.locator(PANEL, has_text="right only if A is symmetric")
    expect(panel).to_have_count(1)
    if os.environ.get("MATMAGIC_REFRESH"):
        page.set_viewport_size({"width": 890, "height": 1000})
        panel.screenshot(path=HERE / "panel.png")
    assert (HERE / "panel.png").stat().st_size > 10_000
