"""Whether what is written in a container outlives it: all is lost but what is on a disk that was mounted into it."""

from __future__ import annotations

from pathlib import Path

_PASSING = ("", "overlay", "aufs", "tmpfs", "ramfs")
"""File systems of a container's own, or of memory."""
_MOUNTS = Path("/proc/self/mountinfo")


def outlives_container(path: Path, mounts: str | None = None) -> bool:
    """Whether a folder is on such a disk. `mounts`: the system's table of them; True where there is none."""
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return True
    place, kind, longest = path.resolve(), "", 0
    above = {str(place), *map(str, place.parents)}
    for line in mounts.splitlines():  # 36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda1 rw
        fields = line.split()
        if "-" not in fields[6:] or len(fields) < 9:
            continue
        point = fields[4].replace("\\040", " ")
        if point != "/" and point in above and len(point) >= longest:  # the later of two hides the earlier
            kind, longest = fields[fields.index("-", 6) + 1], len(point)
    return kind not in _PASSING
