"""The version before this one."""

import pytest

from support import previous


@pytest.fixture(scope="session")
def old_bin():
    return previous.binary()
