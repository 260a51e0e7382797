"""Which disk a folder lies on, from the kernel's tables."""

from pathlib import Path, PurePath

from agent.doctor import disk, power
from agent.doctor.finding import Verdict
from agent.doctor.mounts import disk_of, mount_of, parse

MOUNTINFO = r"""
22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw,errors=remount-ro
23 22 0:20 / /proc rw,nosuid - proc proc rw
30 22 179:3 / /var/lib/cardea rw,noatime shared:9 master:2 - ext4 /dev/mmcblk0p3 rw,data=ordered
31 22 0:40 / /mnt/with\040space rw,relatime - tmpfs tmpfs rw,size=1024k
32 22 179:3 / /var/lib/cardea ro,noatime - ext4 /dev/mmcblk0p3 rw,data=ordered
broken line
"""


def test_mountinfo_is_read_with_its_options_and_escapes() -> None:
    """Optional fields may be any number; lines of another shape are left out."""
    mounts = parse(MOUNTINFO)
    assert [str(mount.place) for mount in mounts] == [
        "/",
        "/proc",
        "/var/lib/cardea",
        "/mnt/with space",
        "/var/lib/cardea",
    ]
    assert mounts[2].options == {"rw", "noatime", "data=ordered"}
    assert parse("") == []


def test_folder_lies_on_the_longest_and_last_mount() -> None:
    """What is mounted over another hides it."""
    mounts = parse(MOUNTINFO)
    found = mount_of(PurePath("/var/lib/cardea/set-aside"), mounts)
    assert found is mounts[4]
    assert mount_of(PurePath("/var/lib/cardeax"), mounts) is mounts[0]
    assert mount_of(PurePath("/x"), []) is None


def _machine(root: Path) -> Path:
    """The files of a Raspberry Pi with an eMMC chip, as far as they are looked at."""
    device = root / "sys/block/mmcblk0/device"
    device.mkdir(parents=True)
    for name, text in {"type": "MMC", "name": "BJTD4R", "life_time": "0x0a 0x01", "pre_eol_info": "0x01"}.items():
        (device / name).write_text(f"{text}\n")
    partition = root / "sys/devices/mmcblk0/mmcblk0p3"
    partition.mkdir(parents=True)
    (root / "sys/dev/block").mkdir(parents=True)
    (root / "sys/dev/block/179:3").symlink_to(partition)
    return root


def test_disk_is_found_by_number_and_by_name(tmp_path: Path) -> None:
    """The number leads to the partition, the partition's name to the disk; what is no disk here is None."""
    root, mounts = _machine(tmp_path), parse(MOUNTINFO)
    assert disk_of(mounts[2], root) == "mmcblk0"
    assert disk_of(mounts[3], root) is None
    assert disk_of(parse("1 1 8:1 / / rw - ext4 /dev/mmcblk0p2 rw")[0], root) == "mmcblk0"


def test_wear_and_voltage_are_read_where_the_kernel_shows_them(tmp_path: Path) -> None:
    """The looking itself, on the files of such a machine."""
    root = _machine(tmp_path)
    found = disk._card("mmcblk0", root / "sys/block/mmcblk0/device")
    assert (found.verdict, found.what) == (Verdict.WARN, "mmcblk0 MMC BJTD4R: about 100 % of its life used")
    sensor = root / "sys/class/hwmon/hwmon1"
    sensor.mkdir(parents=True)
    (sensor / "name").write_text("rpi_volt\n")
    (sensor / "in0_lcrit_alarm").write_text("1\n")
    assert power.judge_supply(power._flags(root)).verdict is Verdict.FAIL
    (sensor / "in0_lcrit_alarm").write_text("0\n")
    assert power.judge_supply(power._flags(root)).verdict is Verdict.PASS
