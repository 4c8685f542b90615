"""The page in a browser: no word on the console, no request, nothing wider than the screen."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gan_lab.report.render import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory, sweep, run) -> Path:
    """A report, with its figures."""
    folder = tmp_path_factory.mktemp("runs")
    sweep(folder, {"wgan_gp": 0.1, "rsgan": 0.3, "a_name_longer_than_any_that_we_ship": 0.35}, 4, picture=True)
    run(folder / "lost", {"loss": "wgan_gp", "seed": 9}, state="failed", error="RuntimeError: " + "long" * 40)
    return write_report([folder])


def test_the_page_needs_nothing_but_itself(page):
    text = page.read_text()
    sources = re.findall(r'(?:src|href|srcset|action|poster)\s*=\s*"([^"]*)"', text)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert not re.findall(r"url\((?!data:)|@import|<script|<link(?! rel=\"icon\")", text)
    assert len(re.findall(r"<img ", text)) == len(re.findall(r'<img [^>]*alt="[^"]+"', text))


def chromium(page: Path, width: int, *options: str) -> subprocess.CompletedProcess[str]:
    """The page in a headless browser that can reach no network; what it logs is on stderr."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
               "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={page.parent}/profile",
               f"--window-size={width},1200", *options, page.as_uri()]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, 1), (1280, 0), (400, 1), (400, 0)])
def test_no_word_on_the_console(page, tmp_path, width, scheme):
    picture = tmp_path / "page.png"
    done = chromium(page, width, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}")
    assert "CONSOLE" not in done.stderr
    from PIL import Image

    with Image.open(picture) as image:
        corner = image.convert("RGB").getpixel((2, 2))
    assert isinstance(corner, tuple)
    assert (sum(corner) < 200) == (scheme == 0)  # the page follows the reader into the dark


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_nothing_is_wider_than_the_window(page, width):
    """A script put into a copy of the page measures it, and every figure is a picture the browser can draw."""
    probe = page.with_name("probe.html")
    script = """<script>addEventListener("load", () => { document.title = JSON.stringify([
        document.documentElement.scrollWidth <= innerWidth, [...document.images].every(i => i.naturalWidth > 0),
        performance.getEntriesByType("resource").filter(r => !r.name.startsWith("data:")).length]) })</script>"""
    probe.write_text(page.read_text().replace("</head>", f"{script}</head>"))
    done = chromium(probe, width, "--dump-dom")
    found = re.search(r"<title>(.*?)</title>", done.stdout)
    assert found
    assert found[1] == "[true,true,0]"


@needs_chromium
def test_the_probe_sees_a_console_error(page):
    """So that the silence above means something."""
    broken = page.with_name("broken.html")
    broken.write_text(page.read_text().replace("</head>", "<script>throw new Error('heard')</script></head>"))
    assert "heard" in chromium(broken, 1280, "--dump-dom").stderr
