"""The judgements of the self-test: what passes, what warns, what fails, and where the line between them lies."""

import os
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import pytest

from agent.core.timekeeping import RELEASED_S
from agent.doctor import clock, cloud, configuration, daemon, disk, gpio, identity, journal, power, readers, service
from agent.doctor import system as system_checks
from agent.doctor.examination import LINES
from agent.doctor.finding import Area, Finding, Verdict, worst
from agent.doctor.mounts import Mount
from agent.doctor.scene import Account, Unit, group_id, service_account
from agent.errors import ConfigError, FailureKind, Problem, Transient
from agent.ports import JournalBreak
from agent.version import VERSION
from hardware.settings import ReaderSettings

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
MIB = 1 << 20
RELEASED = datetime.fromtimestamp(RELEASED_S, UTC)
DOOR = Account("cardea", 900, frozenset({900, 997}))
ROOT_ACCOUNT = Account("root", 0, frozenset({0}))


def status_of(mode: int, uid: int = 900, gid: int = 900) -> os.stat_result:
    """What stat says of such a file."""
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


def verdicts(findings: Iterable[Finding]) -> list[Verdict]:
    """In their order."""
    return [finding.verdict for finding in findings]


def test_worst_of_all_lines_is_the_verdict() -> None:
    """Nothing found is nothing wrong."""
    one = daemon.FIRE
    assert worst([]) is PASS
    assert worst([one.passes("a"), one.warns("b")]) is WARN
    assert worst([one.warns("b"), one.fails("c"), one.passes("a")]) is FAIL


@pytest.mark.parametrize(
    ("mode", "account", "wanted", "may"),
    [
        (0o600, DOOR, 4, True),
        (0o060, DOOR, 4, False),  # the owner's bits count for the owner, whatever the group may
        (0o006, Account("x", 1, frozenset({1})), 6, True),
        (0o060, Account("x", 1, frozenset({900})), 6, True),
        (0o040, Account("x", 1, frozenset({900})), 6, False),
        (0o000, ROOT_ACCOUNT, 7, True),
    ],
)
def test_account_may_what_the_mode_bits_say(mode: int, account: Account, wanted: int, may: bool) -> None:
    """As the kernel decides: owner, else group, else others."""
    assert account.may(status_of(mode), wanted) is may


@pytest.mark.parametrize(
    ("mode", "uid", "verdict"),
    [(0o640, 0, PASS), (0o644, 900, PASS), (0o640, 1000, WARN), (0o660, 0, WARN), (0o646, 0, FAIL)],
)
def test_configuration_is_its_owners_to_change(mode: int, uid: int, verdict: Verdict) -> None:
    """Whoever can write it can let anybody in."""
    found = configuration.judge_owner("/etc/cardea/cardea.toml", status_of(mode, uid), DOOR)
    assert found.verdict is verdict
    assert verdict is PASS or "/etc/cardea/cardea.toml" in (found.remedy or "")


def test_configuration_problems_are_lines_with_their_hints() -> None:
    """As `cardea check-config` shows them."""
    error = ConfigError(
        "f", [Problem("door.0.x", "is not a key", "did you mean 'y'?"), Problem("device", "is missing")]
    )
    assert [item.what for item in configuration.problems(error)] == [
        "door.0.x: is not a key (did you mean 'y'?)",
        "device: is missing",
    ]


def test_emulated_part_among_real_ones_is_a_warning() -> None:
    """A forgotten emulated lock opens nothing."""
    real, emulated = ("lock a", "gpio"), ("lock b", "emulated")
    assert [configuration.judge_drivers(parts)[0].verdict for parts in ([real], [emulated], [real, emulated])] == [
        PASS,
        PASS,
        WARN,
    ]


@pytest.mark.parametrize(
    ("mode", "readable", "verdict"),
    [(0o600, True, PASS), (0o640, True, PASS), (0o660, True, FAIL), (0o644, True, FAIL), (0o600, False, FAIL)],
)
def test_secret_is_for_the_agent_alone(mode: int, readable: bool, verdict: Verdict) -> None:
    """Everybody's to read or anybody else's to write fails, and so does what the agent can't read."""
    assert identity.judge_secret(identity.CARD_KEY, "k", mode, readable, DOOR).verdict is verdict


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (datetime(1970, 1, 2, tzinfo=UTC), FAIL),
        (RELEASED, PASS),
        (datetime(2046, 12, 31, tzinfo=UTC), PASS),
        (datetime(2047, 1, 1, tzinfo=UTC), FAIL),
    ],
)
def test_clock_is_plausible_from_the_release_on(now: datetime, verdict: Verdict) -> None:
    """And not decades later."""
    assert clock.judge_plausible(now, RELEASED).verdict is verdict


@pytest.mark.parametrize(
    ("ours", "verdict", "text"),
    [
        (1000.0, PASS, "within"),
        (1004.9, PASS, "within"),
        (1005.0, WARN, "5 s ahead of kinesis"),
        (701.0, WARN, "299 s behind kinesis"),
        (700.0, FAIL, "300 s behind kinesis: AWS refuses"),
    ],
)
def test_clock_skew(ours: float, verdict: Verdict, text: str) -> None:
    """Five seconds are noticed, five minutes stop the way to the cloud."""
    found = clock.judge_skew(ours, 1000.0, "kinesis")
    assert found.verdict is verdict
    assert text in found.what


def test_clock_that_nobody_keeps_is_a_warning() -> None:
    """And so is one that stops with the power; whatever is trusted."""
    assert clock.judge_synchronised(True, trusted=False, told=None).verdict is PASS
    assert clock.judge_synchronised(True, trusted=False, told="synced").verdict is PASS
    refused = clock.judge_synchronised(True, trusted=False, told="unsynced")
    assert (refused.verdict, "daemon does not know" in refused.what) == (WARN, True)
    assert clock.judge_synchronised(False, trusted=True, told=None).verdict is WARN
    known, unknown = (clock.judge_synchronised(False, trusted=False, told=told) for told in ("synced", "unsynced"))
    assert (known.verdict, unknown.verdict) == (WARN, WARN)
    assert "the daemon knows the time" in known.what
    assert "does not know" in unknown.what
    assert clock.judge_battery(["rtc0"], trusted=False).verdict is PASS
    assert {clock.judge_battery([], trusted=trusted).verdict for trusted in (True, False)} == {WARN}


@pytest.mark.parametrize(
    ("mode", "uid", "verdict"),
    [
        (stat.S_IFDIR | 0o750, 900, PASS),
        (stat.S_IFDIR | 0o755, 900, WARN),
        (stat.S_IFDIR | 0o757, 900, FAIL),
        (stat.S_IFDIR | 0o550, 900, FAIL),
        (stat.S_IFDIR | 0o750, 0, FAIL),
        (stat.S_IFREG | 0o600, 900, FAIL),
    ],
)
def test_state_directory_is_the_agents_alone(mode: int, uid: int, verdict: Verdict) -> None:
    """It must be able to write it, and nobody else should look in."""
    assert disk.judge_folder(Path("/var/lib/cardea"), status_of(mode, uid=uid, gid=uid), DOOR).verdict is verdict


@pytest.mark.parametrize(
    ("free", "inodes", "growth", "verdict"),
    [
        (300 * MIB, 1, 256 * MIB, PASS),
        (300 * MIB, None, 256 * MIB, PASS),  # btrfs counts none
        (200 * MIB, 1, 256 * MIB, WARN),
        (15 * MIB, 1, 0, FAIL),
        (300 * MIB, 0, 0, FAIL),
    ],
)
def test_free_space_is_held_against_what_the_journal_may_take(
    free: int, inodes: int | None, growth: int, verdict: Verdict
) -> None:
    """Room now, and room for the journal's bound."""
    assert disk.judge_space(free, inodes, growth).verdict is verdict


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("ext4", "rw,noatime,data=ordered", [PASS]),
        ("ext4", "rw,relatime", [PASS]),
        ("ext4", "rw", [WARN]),
        ("ext4", "ro,noatime", [FAIL]),
        ("ext4", "rw,noatime,data=writeback", [WARN]),
        ("ext4", "rw,noatime,barrier=0,data=writeback", [FAIL, WARN]),
        ("f2fs", "rw,noatime", [PASS]),
        ("tmpfs", "rw,relatime", [FAIL]),
        ("overlay", "rw,relatime", [WARN]),
        ("nfs4", "rw,noatime", [FAIL]),
        ("vfat", "rw,noatime", [FAIL]),
    ],
)
def test_file_system_must_keep_what_was_flushed(kind: str, options: str, expected: list[Verdict]) -> None:
    """Each thing that is wrong is a line of its own."""
    mount = Mount(PurePath("/data"), kind, "/dev/mmcblk0p3", "179:3", frozenset(options.split(",")))
    assert verdicts(disk.judge_mount(mount)) == expected


@pytest.mark.parametrize(
    ("times_ms", "verdict"),
    [([2, 4, 900], PASS), ([50, 50, 50], PASS), ([51, 51, 51], WARN), ([250] * 3, WARN), ([2, 251, 251], FAIL)],
)
def test_flush_is_judged_by_the_middle(times_ms: list[int], verdict: Verdict) -> None:
    """A card in good health stalls now and then."""
    assert disk.judge_flush([value / 1000 for value in times_ms]).verdict is verdict


@pytest.mark.parametrize(
    ("life", "end", "verdict", "text"),
    [
        (None, None, PASS, "nothing of its wear"),
        ("0x01 0x02", "0x01", PASS, "20 %"),
        ("0x09 0x02", "0x01", WARN, "90 %"),
        ("0x0b 0x02", "0x01", FAIL, "100 %"),
        ("0x01 0x01", "0x02", WARN, "10 %"),
        ("0x01 0x01", "0x03", FAIL, "10 %"),
        ("rubbish", "", PASS, "nothing"),
    ],
)
def test_card_tells_its_wear(life: str | None, end: str | None, verdict: Verdict, text: str) -> None:
    """In the steps of JEDEC's standard for eMMC."""
    found = disk.judge_card("mmcblk0", life, end)
    assert found.verdict is verdict
    assert text in found.what


def test_swap_on_a_card_is_a_warning() -> None:
    """zram is not; a file counts by where the root file system is."""
    head = "Filename Type Size Used Priority\n"
    assert disk.judge_swap(head, root_on_card=True).verdict is PASS
    assert disk.judge_swap(f"{head}/dev/zram0 partition 1 0 100", root_on_card=True).verdict is PASS
    assert disk.judge_swap(f"{head}/dev/mmcblk0p3 partition 1 0 -2", root_on_card=False).verdict is WARN
    assert disk.judge_swap(f"{head}/var/swap file 1 0 -2", root_on_card=True).verdict is WARN
    assert disk.judge_swap(f"{head}/var/swap file 1 0 -2", root_on_card=False).verdict is PASS
    assert disk.judge_swap("", root_on_card=True).verdict is PASS


@pytest.mark.parametrize(
    ("storage", "there", "on_card", "verdict"),
    [
        ("persistent", False, True, WARN),
        ("auto", True, True, WARN),
        ("auto", False, True, PASS),
        ("volatile", True, True, PASS),
        ("persistent", True, False, PASS),
    ],
)
def test_system_log_on_a_card_is_a_warning(storage: str, there: bool, on_card: bool, verdict: Verdict) -> None:
    """`auto` keeps the log where /var/log/journal is there."""
    assert disk.judge_log(storage, there, on_card=on_card).verdict is verdict


def test_system_logs_setting_is_the_last_one() -> None:
    """A later file overrides; other sections and broken files change nothing."""
    assert disk._storage([]) == "auto"
    assert disk._storage(["[Journal]\n#Storage=none\n"]) == "auto"
    assert disk._storage(["[Journal]\nStorage=persistent\n", "[Journal]\nStorage=Volatile\n"]) == "volatile"
    assert disk._storage(["[Journal]\nStorage=volatile\n", "[Other]\nStorage=auto\n", "no ini at all"]) == "volatile"


def test_set_aside_databases_are_a_warning() -> None:
    """They wait for a person."""
    assert disk.judge_aside([]).verdict is PASS
    assert disk.judge_aside(["1"]).verdict is WARN


def test_journal_break_fails_with_its_place() -> None:
    """One that concerns the file as a whole has no place."""
    assert journal.judge_break(None, 7).what == "7 events, whole"
    assert journal.judge_break(JournalBreak(2, 9, "event 9 is missing"), 8).what == (
        "broken at epoch 2, event 9: event 9 is missing"
    )
    assert journal.judge_break(JournalBreak(0, 0, "pages: bad"), 0).what == "broken: pages: bad"


def test_journal_above_its_bound_is_a_warning() -> None:
    """With room for its log."""
    assert [journal.judge_size(size * MIB, 64).verdict for size in (1, 68, 69)] == [PASS, PASS, WARN]


def _probed(**changes: object) -> dict[str, Any]:
    return {
        "installed": ["rpi-lgpio"],
        "library": {"name": "rpi-lgpio", "version": "0.6", "path": "p"},
        "error": None,
        "registers": None,
        "chip": "/dev/gpiochip0",
        "lines": [],
    } | changes


def test_one_gpio_library_passes() -> None:
    """None fails with the library's own words, both fail whatever was imported."""
    assert gpio.judge_library(_probed()).verdict is PASS
    assert gpio.judge_library(_probed(library=None, error="no GPIO library")).what == "no GPIO library"
    assert gpio.judge_library(_probed(installed=["RPi.GPIO", "rpi-lgpio"])).verdict is FAIL


CHIP_OF_GROUP, CHIP_OF_ROOT = (status_of(stat.S_IFCHR | 0o660, uid=0, gid=gid) for gid in (997, 0))


@pytest.mark.parametrize(
    ("account", "library", "chip", "devices", "verdict", "says"),
    [
        (DOOR, "rpi-lgpio", None, {"/dev/gpiochip0": CHIP_OF_GROUP}, PASS, "may use /dev/gpiochip0"),
        (DOOR, "rpi-lgpio", None, {"/dev/gpiochip0": CHIP_OF_ROOT}, FAIL, "/dev/gpiochip0 (crw-rw----, owner 0"),
        # Which of them is the header's can't be told to whoever may open none.
        (DOOR, "rpi-lgpio", None, {"/dev/gpiochip0": CHIP_OF_GROUP, "/dev/gpiochip4": CHIP_OF_ROOT}, FAIL, "chip4"),
        (
            DOOR,
            "rpi-lgpio",
            "/dev/gpiochip0",
            {"/dev/gpiochip0": CHIP_OF_GROUP, "/dev/gpiochip4": CHIP_OF_ROOT},
            PASS,
            "",
        ),
        (DOOR, "rpi-lgpio", None, {"/dev/gpiomem": CHIP_OF_GROUP}, FAIL, "there is no /dev/gpiochip*"),
        (DOOR, "RPi.GPIO", None, {"/dev/gpiomem": CHIP_OF_GROUP, "/dev/gpiochip0": CHIP_OF_ROOT}, PASS, "/dev/gpiomem"),
        (DOOR, "RPi.GPIO", None, {"/dev/gpiochip0": CHIP_OF_GROUP}, FAIL, "there is no /dev/gpiomem"),
        (DOOR, None, None, {}, FAIL, "there is no /dev/gpiochip*"),
        (ROOT_ACCOUNT, "rpi-lgpio", None, {"/dev/gpiochip0": CHIP_OF_ROOT}, PASS, ""),
        (ROOT_ACCOUNT, "RPi.GPIO", None, {}, WARN, "there is no /dev/gpiomem"),
    ],
)
def test_pins_are_for_whom_their_device_lets_in(
    account: Account,
    library: str | None,
    chip: str | None,
    devices: dict[str, os.stat_result],
    verdict: Verdict,
    says: str,
) -> None:
    """Neither a group's membership nor what this user may is any proof for the agent's account."""
    found = _probed(chip=chip, library=None if library is None else {"name": library})
    judged = gpio.judge_access(found, account, devices)
    assert (judged.verdict, says in judged.what) == (verdict, True), judged.what


def test_held_pin_fails_unless_the_daemon_runs() -> None:
    """And then only if its library books them, under the name that it gives."""
    parts = {17: "front", 23: "front.rex"}
    free = {"pin": 23, "used": False, "holder": ""}

    def judged(holder: str, *, library: str = "rpi-lgpio", running: bool = True) -> list[Verdict]:
        found = _probed(lines=[{"pin": 17, "used": True, "holder": holder}, free], library={"name": library})
        return verdicts(gpio.judge_pins(found, parts, running=running))

    assert judged("lg") == judged("") == [PASS]
    assert judged("lg", running=False) == judged("sysfs") == judged("lg", library="RPi.GPIO") == [FAIL]
    (bad,) = gpio.judge_pins(_probed(lines=[{"pin": 17, "used": True, "holder": "sysfs"}]), parts, running=True)
    assert bad.what == "pin 17 (front) is held by sysfs"
    assert verdicts(gpio.judge_pins(_probed(lines=[free]), parts, running=False)) == [PASS]


def _usb(model: str, note: str | None = None, path: str | None = None) -> dict[str, Any]:
    return {"driver": "nfc", "name": model, "config": ['driver = "nfc"', f'path = "{path or model}"'], "note": note}


@pytest.mark.parametrize(
    ("path", "verdict"),
    [("usb", PASS), ("usb:054C", PASS), ("usb:054c:06c3", PASS), ("usb:072f:2200", FAIL), ("usb:072f", FAIL)],
)
def test_usb_reader_is_looked_for_by_its_path(path: str, verdict: Verdict) -> None:
    """As nfcpy reads it: any, by vendor, by model."""
    assert readers.judge_usb("in", path, [_usb("usb:054c:06c3")]).verdict is verdict


def test_usb_reader_without_permission_fails() -> None:
    """With what `cardea readers` says of it."""
    found = readers.judge_usb("in", "usb", [_usb("usb:054c:06c3", "no permission for /dev/bus/usb/001/004")])
    assert (found.verdict, "udev" in (found.remedy or "")) == (FAIL, True)


def test_reader_that_no_door_uses_is_a_warning_with_its_lines() -> None:
    """Of the kinds that are configured; a device of another kind may be somebody else's."""
    attached: list[dict[str, Any]] = [
        {"driver": "pcsc", "name": "ACS 00", "config": ['match = "ACS*"'], "note": None},
        {"driver": "pcsc", "name": "HID 00", "config": ['match = "HID*"'], "note": None},
        _usb("usb:054c:06c3"),
        {"driver": "nfc", "name": None, "config": [], "note": "no NFC library"},
    ]
    used = [ReaderSettings("in", "pcsc", 0.5, match="ACS*")]
    (found,) = readers.judge_strangers(attached, used)
    assert (found.what, found.verdict) == ("pcsc: HID 00", WARN)
    assert 'match = "HID*"' in (found.remedy or "")
    both = [*used, ReaderSettings("out", "nfc", 0.5, path="usb:072f:2200")]
    assert [item.what for item in readers.judge_strangers(attached, both)] == ["pcsc: HID 00", "nfc: usb:054c:06c3"]


def test_kernel_driver_and_console_are_in_the_way() -> None:
    """Of the paths that are configured, and only of those."""
    modules, console = "pn533_usb 16384 0\npn533 1 0\nusbcore 1 0", "console=ttyAMA0,115200 console=tty1 root=/dev/x"
    assert len(list(readers.judge_kernel(["usb:054c:06c3"], modules, console))) == 2
    (found,) = readers.judge_kernel(["tty:AMA0:pn532"], modules, console)
    assert found.what == "/dev/ttyAMA0 is a login console"
    assert verdicts(readers.judge_kernel(["tty:S0:pn532", "udp:localhost:1"], modules, console)) == [PASS]
    assert list(readers.judge_kernel([], modules, console)) == []


def test_serial_port_must_be_one_and_be_the_agents() -> None:
    """Its group is usually dialout."""
    port = stat.S_IFCHR | 0o660
    assert readers.judge_serial("in", "/dev/ttyS0", status_of(port, 0, 997), DOOR).verdict is PASS
    assert "dialout" in (readers.judge_serial("in", "/dev/ttyS0", status_of(port, 0, 20), DOOR).remedy or "")
    assert readers.judge_serial("in", "/dev/ttyS0", status_of(stat.S_IFREG | 0o666), DOOR).verdict is FAIL


@pytest.mark.parametrize(
    ("path", "port"),
    [
        ("tty:S0:pn532", "/dev/ttyS0"),
        ("tty:USB0:arygon", "/dev/ttyUSB0"),
        ("com:ttyACM0", "/dev/ttyACM0"),
        ("tty:USB:pn532", None),
        ("tty", None),
        ("udp:localhost:54321", None),
        ("usb:072f:2200", None),
    ],
)
def test_serial_port_of_nfcpys_paths(path: str, port: str | None) -> None:
    """None where nfcpy would search: nothing of ours tries ports."""
    assert readers._serial_port(path) == port


def _status(**changes: object) -> dict[str, Any]:
    return {
        "device": "d",
        "version": VERSION,
        "degraded": [],
        "doors": [],
        "journal": {"unsent": 0, "oldest_unsent_s": None},
    } | changes


def test_daemon_that_is_well_passes() -> None:
    """Every line is the daemon's own word."""
    found = list(daemon.judge_status(_status(), "d", 1000))
    assert verdicts(found) == [PASS] * 4
    assert all(item.by_daemon for item in found)


@pytest.mark.parametrize(
    ("changes", "name", "text"),
    [
        ({"device": "x"}, "running", "the daemon runs device x"),
        ({"version": "0.0.1"}, "running", "the daemon runs release 0.0.1"),
        ({"degraded": ["clock_unsynced"]}, "degraded", "clock_unsynced: "),
        ({"degraded": ["brand_new"]}, "degraded", "brand_new: "),
        ({"doors": [{"id": "front", "fire": True}, {"id": "back", "fire": False}]}, "fire", "fire state: front"),
        (
            {"journal": {"unsent": 500, "oldest_unsent_s": 7200.0}},
            "backlog",
            "500 unsent of at most 1000, the oldest 2.0 h",
        ),
    ],
)
def test_daemon_that_is_not_well_warns(changes: dict[str, object], name: str, text: str) -> None:
    """One line changes, the others pass."""
    found = list(daemon.judge_status(_status(**changes), "d", 1000))
    (bad,) = [item for item in found if item.verdict is not PASS]
    assert (bad.name, bad.verdict) == (name, WARN)
    assert bad.what.startswith(text)


def test_degraded_reason_that_stops_the_door_fails() -> None:
    """As its remedy says."""
    (found,) = daemon.judge_degraded({"degraded": ["lock_fault:front"]})
    assert found.verdict is FAIL
    assert found.what.startswith("lock_fault:front: The lock's relay")


def test_stream_is_told_by_the_daemon_alone() -> None:
    """Without one nothing is tried, and the line says so."""
    assert verdicts(cloud.judge_stream(None)) == [PASS]
    assert verdicts(cloud.judge_stream({"uplink": {"state": "online"}})) == [PASS]
    assert verdicts(cloud.judge_stream({"uplink": {"state": "offline"}})) == [FAIL]
    assert verdicts(cloud.judge_stream({})) == [FAIL]


def test_certificate_points_to_the_clock() -> None:
    """The usual reason for one that is refused on a controller without a clock battery."""
    refused = Transient("GET: SSLError: certificate is not yet valid", FailureKind.CREDENTIALS_OR_CLOCK)
    assert "clock" in (cloud.judge_unreached("s3", "https://x", refused).remedy or "")
    assert "DNS" in (cloud.judge_unreached("s3", "https://x", Transient("no address")).remedy or "")


def test_daemon_that_is_online_proves_the_shell_to_be_the_other() -> None:
    """A unit's variables are not a shell's: no alarm for a door that delivers."""
    assert cloud.judge_credentials("env", online=False).verdict is PASS
    assert cloud.judge_credentials(None, online=False).verdict is FAIL
    assert cloud.judge_credentials(None, online=True).verdict is WARN
    assert cloud.judge_unreached("s3", "https://x", Transient("no address"), online=True).verdict is WARN


GOOD_UNIT = {
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "NeedDaemonReload": "no",
    "ActiveState": "active",
    "WatchdogUSec": "30s",
    "Restart": "always",
    "ExecStopPost": "{ path=/usr/bin/python3 ; argv[]=/usr/bin/python3 -IS /usr/local/lib/cardea/cardea-safe"
    " /run/cardea/locks ; ignore_errors=no ; start_time=[n/a] ; status=0/0 }",
    "NRestarts": "0",
}


def test_unit_of_this_release_passes() -> None:
    """Installed, enabled, watched, with its stop hook."""
    assert verdicts(service.judge_unit(GOOD_UNIT, on_pins=True)) == [PASS] * 4


@pytest.mark.parametrize(
    ("change", "name", "verdict"),
    [
        ({"UnitFileState": "disabled"}, "unit", WARN),
        ({"NeedDaemonReload": "yes"}, "unit", WARN),
        ({"WatchdogUSec": "infinity"}, "watchdog", WARN),
        ({"Restart": "no"}, "watchdog", WARN),
        ({"ActiveState": "failed"}, "unit", FAIL),
        ({"ActiveState": "failed", "UnitFileState": "disabled"}, "unit", FAIL),
        ({"ActiveState": "activating"}, "unit", WARN),
        ({"ExecStopPost": ""}, "stop hook", FAIL),
        ({"ExecStopPost": "{ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no }"}, "stop hook", FAIL),
        ({"NRestarts": "3"}, "restarts", WARN),
    ],
)
def test_unit_that_lacks_something_says_what(change: dict[str, str], name: str, verdict: Verdict) -> None:
    """A missing stop hook costs a strike that stays open."""
    (bad,) = [item for item in service.judge_unit(GOOD_UNIT | change, on_pins=True) if item.verdict is not PASS]
    assert (bad.name, bad.verdict) == (name, verdict)


def test_watchdog_is_not_told_before_the_first_start() -> None:
    """systemd shows none for a unit that it has never run: no fault of the unit's."""
    new = GOOD_UNIT | {"ActiveState": "inactive", "WatchdogUSec": "infinity"}
    assert verdicts(service.judge_unit(new, on_pins=True)) == [PASS] * 4


def test_missing_unit_and_hook_are_warnings_where_no_pin_is_used() -> None:
    """Without a unit nothing more is said of it."""
    assert verdicts(service.judge_unit({"LoadState": "not-found"}, on_pins=True)) == [WARN]
    bad = [item for item in service.judge_unit(GOOD_UNIT | {"ExecStopPost": ""}, on_pins=False) if item.remedy]
    assert verdicts(bad) == [WARN]


def test_hook_whose_program_is_missing_is_none() -> None:
    """Only files that must be there before the agent's first start count."""
    files = service.hook_files(GOOD_UNIT["ExecStopPost"])
    assert files == ["/usr/bin/python3", "/usr/local/lib/cardea/cardea-safe"]
    bad = [item for item in service.judge_unit(GOOD_UNIT, on_pins=True, missing=files[1:]) if item.remedy]
    assert [(item.name, item.verdict) for item in bad] == [("stop hook", FAIL)]
    assert service.hook_files("") == []


def test_account_is_the_units_with_the_groups_that_it_adds() -> None:
    """The unit may give a group that the account itself is not in; an account that is not there is this process's."""
    unit = Unit({"User": "nobody", "SupplementaryGroups": "tty no-such-group"})
    account = service_account(unit)
    assert (account.name, group_id("tty") in account.gids) == ("nobody", True)
    assert group_id("tty") not in service_account(Unit({"User": "nobody"})).gids
    assert service_account(Unit({"User": "no-such-user"})).uid == os.geteuid()


def test_what_systemctl_prints_is_read() -> None:
    """Values may hold an equals sign."""
    assert service.parse("LoadState=loaded\nExecStopPost={ path=/x ; argv[]=/x }\n\n") == {
        "LoadState": "loaded",
        "ExecStopPost": "{ path=/x ; argv[]=/x }",
        "": "",
    }


@pytest.mark.parametrize(
    ("flags", "verdict"), [(None, PASS), (0, PASS), (0x50005, FAIL), (0x50000, WARN), (0x1, FAIL), (0x80008, PASS)]
)
def test_supply_voltage(flags: int | None, verdict: Verdict) -> None:
    """Bit 0: now; bit 16: since boot; the others are about heat."""
    assert power.judge_supply(flags).verdict is verdict


@pytest.mark.parametrize(("celsius", "verdict"), [(None, PASS), (74.9, PASS), (75.0, WARN), (85.0, FAIL)])
def test_temperature(celsius: float | None, verdict: Verdict) -> None:
    """The chip slows itself down at 85 degrees."""
    assert power.judge_heat(celsius).verdict is verdict


@pytest.mark.parametrize(("version", "verdict"), [((3, 10), FAIL), ((3, 11), PASS), ((3, 13), PASS), ((3, 14), FAIL)])
def test_python_version(version: tuple[int, int], verdict: Verdict) -> None:
    """What the package says."""
    assert system_checks.judge_python(version).verdict is verdict


@pytest.mark.parametrize(("mib", "verdict"), [(None, PASS), (100, PASS), (99, WARN), (30, WARN), (29, FAIL)])
def test_memory(mib: int | None, verdict: Verdict) -> None:
    """Before the kernel ends somebody."""
    assert system_checks.judge_memory(None if mib is None else mib * MIB).verdict is verdict


@pytest.mark.parametrize(
    ("read_only", "fstab", "verdict"),
    [
        (False, "", PASS),
        (True, "PARTUUID=1-02 / ext4 ro,noatime 0 1", PASS),
        (True, "PARTUUID=1-02 / ext4 defaults,noatime 0 1", WARN),
        (True, "# x / ext4 ro 0 1\nbroken line", WARN),
    ],
)
def test_root_file_system_is_as_fstab_has_it(read_only: bool, fstab: str, verdict: Verdict) -> None:
    """Read-only by choice is good practice; by the kernel it is a failing disk."""
    assert system_checks.judge_root(read_only=read_only, fstab=fstab).verdict is verdict


def test_every_area_has_lines_in_the_order_of_areas() -> None:
    """As the documentation lists them and the report shows them; no two of one name."""
    places = [list(Area).index(line.area) for line in LINES]
    assert places == sorted(places)
    assert set(places) == set(range(len(Area)))
    assert len({(line.area, line.name) for line in LINES}) == len(LINES)
