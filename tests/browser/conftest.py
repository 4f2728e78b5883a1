import pytest
from playwright.sync_api import sync_playwright

from tests.needs import chromium
from tests.stack import stack

# Chromium on a closed network must not look up hosts of its own; a sandbox needs rights a container lacks.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """tunixrt on the embedded default with pages, a worker and the sweeper."""
    with stack(tmp_path_factory.mktemp("browser") / "installation", "embedded") as made:
        made.environment["RUN_LEASE_SECONDS"] = "8"  # long enough to see on a page that it runs
        made.manage("seed_dataset", "--dataset", "golden-v2")
        made.shell(
            "__import__('django.contrib.auth', fromlist=['x']).get_user_model().objects"
            ".create_superuser('ada', password='correct horse battery').pk"
        )
        made.address = made.start_web()
        made.start_worker()
        made.start_sweeper()
        yield made


@pytest.fixture
def page(installation):
    """A signed-in page; a script error or a refused resource on it fails the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        page.goto(installation.address + "/login")
        page.fill("#id_username", "ada")
        page.fill("#id_password", "correct horse battery")
        page.click("main button")
        yield page
        browser.close()
    assert complaints == []


def is_complaint(said) -> bool:
    """Whether the console speaks of a fault of ours; that a line is cut, a test has done itself."""
    return said.type == "error" and "ERR_INTERNET_DISCONNECTED" not in said.text
