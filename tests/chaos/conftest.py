"""The box over SSH is that of the box tests."""

from tests.box.conftest import no_keys, shared_server

__all__ = ["no_keys", "shared_server"]
