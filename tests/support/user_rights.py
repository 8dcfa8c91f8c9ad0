"""Being an ordinary user for a while: root may write into any folder."""

import ctypes
import os
from contextlib import contextmanager

import pytest

_VERSION_3 = 0x20080522  # of Linux's capget and capset
_OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: file modes do not hold for who has them


@contextmanager
def modes(mode, *folders):
    """Give folders a mode that holds for root too, until the block ends."""
    before = [folder.stat().st_mode & 0o777 for folder in folders]
    for folder in folders:
        folder.chmod(mode)
    try:
        with _without_overrides():
            yield
    finally:
        for folder, old in zip(folders, before, strict=True):
            folder.chmod(old)


@contextmanager
def _without_overrides():
    if os.geteuid() != 0:
        yield
        return
    if not hasattr(ctypes.CDLL(None), "capset"):
        pytest.skip("root, and no way to be an ordinary user")
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    effective = sets[0]
    sets[0] = effective & ~_OVERRIDES
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = effective
        assert libc.capset(header, sets) == 0
