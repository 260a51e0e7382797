"""The panel in a real browser: what a stranger sees and presses.

By default over the stand-in daemon; with CARDEA_PANEL_URL over a running demo.
"""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect, sync_playwright

from agent.panel.relay import Cut
from agent.panel.server import PanelServer, listen
from tests.rigs.stand_in_daemon import StandInDaemon

CHROMIUM: Final = Path("/usr/bin/chromium")
QUIET: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

pytestmark = pytest.mark.system


class StandInNetwork:
    """A network whose cut takes the stand-in's uplink with it."""

    def __init__(self, daemon: StandInDaemon) -> None:
        self._daemon = daemon
        self._how: Cut | None = None

    @property
    def how_cut(self) -> Cut | None:
        return self._how

    def cut(self, how: Cut = Cut.RESET) -> None:
        self._how = how
        self._daemon.set_online(False)

    def restore(self) -> None:
        self._how = None
        self._daemon.set_online(True)


@pytest.fixture(scope="module")
def panel_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a panel; the same one for all tests of this module."""
    running = os.environ.get("CARDEA_PANEL_URL")
    if running:
        yield running.rstrip("/")
        return
    path = tmp_path_factory.mktemp("panel") / "s"
    with StandInDaemon(path, strike_s=1.5) as daemon, PanelServer(path, listen(0), StandInNetwork(daemon)) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


def post(panel_url: str, path: str, body: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json", "Origin": panel_url}
    connection = http.client.HTTPConnection(urlsplit(panel_url).netloc, timeout=10)
    connection.request("POST", path, json.dumps(body), headers)
    status = connection.getresponse().status
    connection.close()
    assert status == 200


@pytest.fixture
def context(browser: Browser, panel_url: str) -> Iterator[BrowserContext]:
    """A fresh browser in front of doors at rest; afterwards: it complained of nothing and asked nobody else."""
    post(panel_url, "/network", {"up": True})
    for name in ("hq-office.contact", "hq-office.tamper", "hq-turnstile.fire"):
        post(panel_url, "/input", {"name": name, "action": "off"})
    for door in ("hq-turnstile", "hq-office"):
        post(panel_url, "/fire-reset", {"door": door})
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    hosts: set[str | None] = set()
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    context.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    context.on("console", heard)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    context.close()
    assert complaints == []
    assert hosts == {"127.0.0.1"}


@pytest.fixture
def page(context: BrowserContext, panel_url: str) -> Page:
    """The page, with both doors locked."""
    page = context.new_page()
    page.goto(panel_url)
    for name in ("turnstile", "office"):
        expect(door(page, name)).to_have_attribute("data-lock", "locked", timeout=15_000)
    return page


def door(page: Page, name: str) -> Locator:
    return page.locator(f"article[data-door=hq-{name}]")


def card(page: Page, where: str, name: str) -> Locator:
    return door(page, where).get_by_role("button", name=f"{name}: hold the card")


def test_tap_that_is_granted_opens_the_picture(page: Page) -> None:
    """Lock, countdown, LED, way and words."""
    turnstile = door(page, "turnstile")
    card(page, "turnstile", "Alice").click()
    expect(turnstile).to_have_attribute("data-lock", "unlocked")
    expect(turnstile).to_have_attribute("data-led-in", "granted")
    expect(turnstile).to_have_attribute("data-way", "in")
    expect(turnstile.get_by_text("locks again in")).to_be_visible()
    expect(turnstile.get_by_text("Alice: allowed")).to_be_visible()
    expect(page.locator("#say")).to_contain_text("Turnstile: Alice: allowed")
    expect(turnstile).to_have_attribute("data-lock", "locked", timeout=10_000)
    expect(turnstile).to_have_attribute("data-led-in", "idle")


def test_tap_that_is_denied_says_why(page: Page) -> None:
    """The door stays locked, the LED is red, the reason is in words."""
    office = door(page, "office")
    card(page, "office", "Grace lost").click()
    expect(office.locator(".decision")).to_contain_text("Grace lost: the card was reported lost")
    expect(office).to_have_attribute("data-led-in", "denied")
    expect(office).to_have_attribute("data-lock", "locked")
    expect(page.locator("#say")).to_contain_text("Office: Grace lost")
    expect(page.locator("#recent li").first).to_contain_text("refused")


def test_reader_can_be_chosen(page: Page) -> None:
    """A card held to the other reader lets out."""
    turnstile = door(page, "turnstile")
    turnstile.get_by_role("radio", name="out").check()
    card(page, "turnstile", "Bob").click()
    expect(turnstile).to_have_attribute("data-way", "out")
    expect(turnstile.locator(".decision")).to_contain_text("turnstile-out")


def test_exit_button_unlocks_and_the_closer_shuts(page: Page) -> None:
    """Out through the door: press, open; the closer shuts it without an alarm."""
    office = door(page, "office")
    office.get_by_role("button", name="Press exit").click()
    expect(office).to_have_attribute("data-lock", "unlocked")
    office.get_by_role("button", name="Open door").click()
    expect(office).to_have_attribute("data-contact", "open")
    expect(office.locator(".flag")).to_be_hidden()
    expect(office).to_have_attribute("data-contact", "closed", timeout=10_000)


def test_held_door_stays_open(page: Page) -> None:
    """Until it is closed by hand."""
    office = door(page, "office")
    office.get_by_role("button", name="Press exit").click()
    expect(office).to_have_attribute("data-lock", "unlocked")
    hold = office.get_by_role("button", name="Hold it open")
    hold.click()
    expect(office).to_have_attribute("data-contact", "open")
    expect(hold).to_have_attribute("aria-pressed", "true")
    office.get_by_role("button", name="Close door").click()
    expect(office).to_have_attribute("data-contact", "closed")
    expect(hold).to_have_attribute("aria-pressed", "false")


def test_force_is_an_alarm(page: Page) -> None:
    """Seen and spoken, until the door is shut."""
    office = door(page, "office")
    office.get_by_role("button", name="Force it open").click()
    expect(office.get_by_text("Forced open")).to_be_visible()
    expect(office).to_have_attribute("data-alarm", "loud")
    expect(page.locator("#warn")).to_contain_text("Office: Forced open")
    office.get_by_role("button", name="Close door").click()
    expect(office.locator(".flag")).to_be_hidden()


def test_locked_door_does_not_open_and_says_why(page: Page) -> None:
    """The button explains itself instead of being dead."""
    office = door(page, "office")
    # Playwright itself does not click a button that says it is disabled.
    office.get_by_role("button", name="Open door").press("Enter")
    expect(page.locator("#toast")).to_contain_text("The door is locked")
    expect(office).to_have_attribute("data-contact", "closed")


def test_fire_unlocks_until_reset(page: Page) -> None:
    """A quiet fire input is not enough: somebody has to reset it."""
    turnstile = door(page, "turnstile")
    fire = turnstile.get_by_role("button", name="Fire", exact=True)
    fire.click()
    expect(turnstile).to_have_attribute("data-fire", "true")
    expect(turnstile).to_have_attribute("data-lock", "unlocked")
    expect(door(page, "office")).to_have_attribute("data-lock", "unlocked")
    expect(fire).to_have_attribute("aria-pressed", "true")
    fire.click()
    expect(fire).to_have_attribute("aria-pressed", "false")
    expect(turnstile).to_have_attribute("data-lock", "unlocked")
    for name in ("turnstile", "office"):
        door(page, name).get_by_role("button", name="Reset fire").click()
        expect(door(page, name)).to_have_attribute("data-lock", "locked")


def test_network_cut_shows_and_the_door_goes_on(page: Page) -> None:
    """Offline, a card still opens; its event waits and is sent after the restore."""
    page.get_by_role("button", name="Cut network").click()
    expect(page.locator("#link")).to_have_attribute("data-link", "cut")
    card(page, "office", "Alice").click()
    expect(door(page, "office")).to_have_attribute("data-lock", "unlocked")
    # An uplink that has nothing to send does not notice.
    expect(page.locator("#uplink")).to_have_text("offline", timeout=15_000)
    expect(page.locator("#backlog")).not_to_have_text("nothing")
    expect(page.locator("#recent li").first).to_contain_text("waits")
    page.get_by_role("button", name="Restore network").click()
    expect(page.locator("#link")).to_have_attribute("data-link", "online", timeout=30_000)
    expect(page.locator("#backlog")).to_have_text("nothing", timeout=30_000)


def test_keyboard_alone_is_enough(page: Page) -> None:
    """Tab reaches a card with a visible focus, Enter holds it to the reader."""
    wanted = card(page, "office", "Alice")
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            break
    expect(wanted).to_be_focused()
    assert wanted.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(door(page, "office")).to_have_attribute("data-lock", "unlocked")
    expect(wanted).to_be_focused()


def test_every_control_is_in_the_tab_order(page: Page) -> None:
    """Each visible button, and one radio button of each group, takes the focus by Tab alone."""
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()")
        reached.add(name)
    buttons = page.get_by_role("button").all()
    names = {button.get_attribute("aria-label") or (button.text_content() or "").strip() for button in buttons}
    assert len(names) > 12
    assert names <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_needs_no_horizontal_scroll(page: Page, scheme: Any) -> None:
    """360 px wide, with the longest texts on it."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    card(page, "office", "Grace lost").click()
    expect(door(page, "office").locator(".decision")).to_contain_text("Grace lost")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    outside = (
        "Array.from(document.querySelectorAll('button')).filter(b => b.getBoundingClientRect().right > 360).length"
    )
    assert page.evaluate(outside) == 0


def test_reduced_motion_is_respected(page: Page) -> None:
    """Nothing swings, blinks or flows then."""
    page.emulate_media(reduced_motion="reduce")
    moving = "getComputedStyle(document.querySelector('.leaf')).transitionDuration"
    assert page.evaluate(moving) in ("0s", "")
    assert page.evaluate("document.getAnimations().filter(a => a.playState === 'running').length") == 0
