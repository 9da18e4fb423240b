"""Uids as the kernel records them, and lines that are safe to show."""

from __future__ import annotations

from tasks.core import sandbox

STATUS = "Name:\tnode\nUid:\t{0}\t{0}\t{0}\t{0}\nGid:\t0\t0\t0\t0\n"
WHOLE = "         0          0 4294967295\n"


def test_uids_are_real_effective_saved_and_file_system() -> None:
    status = "Name:\tx\nUid:\t1\t2\t3\t4\n"
    assert sandbox.inner_uids(status, WHOLE) == (1, 2, 3, 4)


def test_root_of_a_rootless_engine_is_root() -> None:
    rootless = "         0       1000          1\n         1     100000      65536\n"
    assert sandbox.inner_uids(STATUS.format(1000), rootless) == (0, 0, 0, 0)
    assert sandbox.inner_uids(STATUS.format(100999), rootless) == (1000,) * 4


def test_remapped_users_are_translated_back() -> None:
    assert sandbox.inner_uids(STATUS.format(165536), "0 165536 65536\n") == (0, 0, 0, 0)
