"""A headless Chromium. Where there is none, the tests skip; with BROWSER_TESTS=required they fail."""

import json
import os
import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from tests.patience import PATIENCE

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ABSENT = "no Chromium with its chromedriver is installed (Debian: apt-get install chromium chromium-driver)"

# What a browser asks of the network by itself would be refused here, and look like requests of the page.
ARGUMENTS = [
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]


class Screen:
    """One page in the browser, on a screen of a width and a scheme of colours."""

    def __init__(self, chrome: Chrome) -> None:
        self._chrome = chrome

    def open(
        self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, paper: bool = False
    ) -> None:
        device = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.command("Emulation.setDeviceMetricsOverride", **device)
        self.command("Emulation.setTouchEmulationEnabled", enabled=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme])
        for log in ("browser", "performance"):
            self._chrome.get_log(log)
        self._chrome.get(path.as_uri())

    def command(self, name: str, **parameters: Any) -> dict[str, Any]:
        return self._chrome.execute_cdp_cmd(name, parameters)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a function's body in the page."""
        return self._chrome.execute_script(script, *arguments)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        WebDriverWait(self._chrome, PATIENCE, poll_frequency=0.05).until(lambda _: condition())

    def tap(self, x: float, y: float) -> None:
        for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
            self.command("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def point(self, x: float, y: float) -> None:
        self.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=39)

    def complaints(self) -> list[str]:
        """What the console says since the page was opened."""
        return [entry["message"] for entry in self._chrome.get_log("browser")]

    def requests(self) -> list[str]:
        """What was asked for since the page was opened."""
        messages = [json.loads(entry["message"])["message"] for entry in self._chrome.get_log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def picture(self) -> bytes:
        return b64decode(self.command("Page.captureScreenshot", captureBeyondViewport=True)["data"])


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail(f"BROWSER_TESTS is required, but {ABSENT}.")
        pytest.skip(ABSENT)
    options = ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Chromium's sandbox does not work as root.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    for argument in [*ARGUMENTS, *as_root, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(argument)
    chrome = Chrome(options=options, service=Service(driver))
    # Away from the page of a new tab, which loads this and that.
    chrome.get("about:blank")
    yield chrome
    chrome.quit()


@pytest.fixture
def screen(chrome: Chrome) -> Screen:
    return Screen(chrome)
